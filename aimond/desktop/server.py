"""The notification daemon of the desktop, ``org.freedesktop.Notifications`` (Desktop Notifications Specification 1.3).

There may be none, it may be started by the first call, and another one may take its place at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from dbus_fast import Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus
from msgspec import Struct

from aimond.core.board import Entry
from aimond.core.notice import Notice

NAME: Final = "org.freedesktop.Notifications"
PATH: Final = "/org/freedesktop/Notifications"
# Of NotificationClosed: the user did it.
DISMISSED: Final = 2
# What the bus says of a call when whoever was to answer it died.
DIED: Final = "org.freedesktop.DBus.Error.NoReply"

# Where none can be started it is not tried again for so long, seconds; one that comes by itself is noticed.
VAIN: Final = 60.0

_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"
_PROPERTIES: Final = f"{_BUS}.Properties"
_RULES: Final = (
    f"type='signal',sender='{NAME}',path='{PATH}'",
    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{NAME}'",
)


class Shown(Struct):
    """What the daemon was told of an entry: its ``number`` there (0: none), and whether an answer is due."""

    entry: Entry
    number: int = 0
    notice: Notice | None = None
    is_due: bool = False


class Listener(Protocol):
    """Who is told what becomes of notifications."""

    def ready(self) -> None:
        """A daemon is there, and what it can do is known; or its do-not-disturb is another."""

    def absent(self) -> None:
        """Nobody is there at present; a call may start one."""

    def unavailable(self) -> None:
        """There is no daemon, and none could be started."""

    def lost(self) -> None:
        """The daemon is gone, and all that it showed."""

    def closed(self, number: int, reason: int) -> None:
        """A notification is no longer shown."""

    def invoked(self, number: int, action: str, token: str) -> None:
        """The user clicked. ``token``: an XDG activation token, perhaps empty."""


class Server:
    """The daemon at the other end of one connection; ``capabilities`` is None until it has told them."""

    def __init__(self, bus: MessageBus, listener: Listener) -> None:
        self._bus, self._listener = bus, listener
        self.capabilities: frozenset[str] | None = None
        self.inhibited = False
        self._bus_id = self._owner = ""
        self._loop = asyncio.get_running_loop()
        self._vain_until = 0.0
        self._asked = 0
        self._is_asking = False
        self._replies: dict[int, Callable[[Message], None]] = {}
        self._tokens: dict[int, str] = {}
        bus.add_message_handler(self._hear)

    @property
    def identity(self) -> str:
        """Which daemon on which bus is there now."""
        return f"{self._bus_id} {self._owner}"

    def begin(self, identity: str) -> None:
        """Listen, and find out who is there. Another one than ``identity`` (that of the connection before; "" if there
        was none) knows nothing of what is shown."""

        def present(reply: Message) -> None:
            if self._owner:
                return
            self._owner = reply.body[0] if reply.message_type is MessageType.METHOD_RETURN else ""
            if identity and identity != self.identity:
                self._listener.lost()
            if self._owner:
                self.ask()
            else:
                self._listener.absent()

        def identified(reply: Message) -> None:
            self._bus_id = reply.body[0] if reply.message_type is MessageType.METHOD_RETURN else ""

        for rule in _RULES:
            flags = MessageFlag.NO_REPLY_EXPECTED
            self._send(Message(_BUS, _BUS_PATH, _BUS, "AddMatch", signature="s", body=[rule], flags=flags))
        self._call(Message(_BUS, _BUS_PATH, _BUS, "GetId"), identified)
        self._call(Message(_BUS, _BUS_PATH, _BUS, "GetNameOwner", signature="s", body=[NAME]), present)

    def ask(self) -> None:
        """Find out what the daemon can do; that starts one where the bus knows how to."""
        if self._is_asking:
            return
        if not self._owner and self._loop.time() < self._vain_until:
            self._listener.unavailable()
            return
        self._is_asking = True
        self._asked += 1
        number = self._asked
        self._call(Message(NAME, PATH, NAME, "GetCapabilities"), lambda reply: self._told(number, reply))

    def notify(self, body: Sequence[Any], done: Callable[[int, str], None]) -> None:
        """Show one; ``body`` is that of Notify. ``done`` is told its number, or 0 and the error's name."""

        def replied(reply: Message) -> None:
            ok = reply.message_type is MessageType.METHOD_RETURN and reply.signature == "u"
            done(reply.body[0] if ok else 0, "" if ok else reply.error_name or "")

        self._call(Message(NAME, PATH, NAME, "Notify", signature="susssasa{sv}i", body=list(body)), replied)

    def close(self, number: int) -> asyncio.Future[None]:
        """Take one away; that it is gone already is no matter. Done when it was said."""
        self._tokens.pop(number, None)
        flags = MessageFlag.NO_REPLY_EXPECTED | MessageFlag.NO_AUTOSTART
        return self._send(Message(NAME, PATH, NAME, "CloseNotification", signature="u", body=[number], flags=flags))

    def settled(self) -> asyncio.Future[None]:
        """Done when the daemon has answered what it was told until now."""
        settled: asyncio.Future[None] = self._loop.create_future()
        ping = Message(NAME, PATH, "org.freedesktop.DBus.Peer", "Ping", flags=MessageFlag.NO_AUTOSTART)

        def answered(_reply: Message) -> None:
            settled.set_result(None)

        self._call(ping, answered)
        return settled

    # -- in -----------------------------------------------------------------------------------------

    def _told(self, number: int, reply: Message) -> None:
        if number != self._asked:
            return
        if reply.message_type is not MessageType.METHOD_RETURN or reply.signature != "as":
            self._is_asking, self._vain_until = False, self._loop.time() + VAIN
            self._listener.unavailable()
            return
        capabilities = frozenset(reply.body[0])

        def finish(answer: Message) -> None:
            if number == self._asked:
                self._is_asking, self.capabilities = False, capabilities
                is_told = answer.message_type is MessageType.METHOD_RETURN and answer.signature == "v"
                self.inhibited = is_told and answer.body[0].value is True
                self._listener.ready()

        # Plasma's do-not-disturb; others have no such property, and say so with an error.
        body, flags = [NAME, "Inhibited"], MessageFlag.NO_AUTOSTART
        self._call(Message(NAME, PATH, _PROPERTIES, "Get", signature="ss", body=body, flags=flags), finish)

    def _hear(self, message: Message) -> None:
        if message.message_type in (MessageType.METHOD_RETURN, MessageType.ERROR):
            if done := self._replies.pop(message.reply_serial or 0, None):
                done(message)
        elif message.message_type is MessageType.SIGNAL:
            if message.sender == _BUS and message.member == "NameOwnerChanged" and message.body[:1] == [NAME]:
                self._owned(message.body[2])
            elif message.sender == self._owner and (hear := _SIGNALS.get((message.member or "", message.signature))):
                hear(self, *message.body)

    def _owned(self, owner: str) -> None:
        if owner == self._owner:
            return
        self._owner, self.capabilities, self.inhibited, self._is_asking = owner, None, False, False
        self._asked += 1
        self._tokens.clear()
        self._listener.lost()
        if owner:
            self.ask()

    def _closed(self, number: int, reason: int) -> None:
        self._tokens.pop(number, None)
        self._listener.closed(number, reason)

    def _token(self, number: int, token: str) -> None:
        if len(self._tokens) < 64:
            self._tokens[number] = token

    def _invoked(self, number: int, action: str) -> None:
        self._listener.invoked(number, action, self._tokens.pop(number, ""))

    def _properties(self, interface: str, changed: dict[str, Variant], _invalid: list[str]) -> None:
        value = changed.get("Inhibited")
        if interface == NAME and value is not None and self.capabilities is not None:
            self.inhibited = value.value is True
            self._listener.ready()

    # -- out ----------------------------------------------------------------------------------------

    def _call(self, message: Message, done: Callable[[Message], None]) -> None:
        message.serial = self._bus.next_serial()
        self._replies[message.serial] = done
        self._send(message)

    def _send(self, message: Message) -> asyncio.Future[None]:
        # A connection that fails is noticed by whoever keeps it.
        sending: asyncio.Future[None] = self._bus.send(message) if self._bus.connected else self._loop.create_future()
        sending.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        return sending


_SIGNALS: Final[dict[tuple[str, str], Callable[..., None]]] = {
    ("NotificationClosed", "uu"): Server._closed,
    ("ActivationToken", "us"): Server._token,
    ("ActionInvoked", "us"): Server._invoked,
    ("PropertiesChanged", "sa{sv}as"): Server._properties,
}
