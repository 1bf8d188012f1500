"""Callers that hold something for as long as they are on the bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dbus_fast import Message, MessageFlag, MessageType

_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"


class Callers:
    """Watched by their unique names, each alone; ``left`` is told when one goes."""

    def __init__(self, send: Callable[[Message], None], left: Callable[[str], None]) -> None:
        self._send, self._left = send, left
        self._watched: set[str] = set()
        self._asked: dict[int, str] = {}

    def watch(self, caller: str) -> None:
        """Tell when it goes; it may be gone already."""
        if caller in self._watched:
            return
        self._watched.add(caller)
        self._send(_call("AddMatch", _rule(caller), MessageFlag.NO_REPLY_EXPECTED))
        self._send(question := _call("NameHasOwner", caller))
        self._asked[question.serial] = caller

    def unwatch(self, caller: str) -> None:
        """It holds nothing any more."""
        if caller in self._watched:
            self._watched.discard(caller)
            self._send(_call("RemoveMatch", _rule(caller), MessageFlag.NO_REPLY_EXPECTED))

    def hear(self, message: Message) -> None:
        """Take in what the bus says."""
        if message.sender != _BUS:
            return
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self._gone(name)
        elif (caller := self._asked.pop(message.reply_serial or 0, "")) and message.body == [False]:
            self._gone(caller)

    def all_gone(self) -> None:
        """The bus died, and with it every name on it."""
        for caller in list(self._watched):
            self._gone(caller)
        self._asked.clear()

    def _gone(self, caller: str) -> None:
        if caller in self._watched:
            self.unwatch(caller)
            self._left(caller)


def _rule(caller: str) -> str:
    return f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{caller}'"


def _call(member: str, argument: Any, flags: MessageFlag = MessageFlag.NONE) -> Message:
    return Message(_BUS, _BUS_PATH, _BUS, member, signature="s", body=[argument], flags=flags)
