"""A monitor without sessions that can be inhibited, of which the test knows who does so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbus_fast import Message, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from aimond.bus.contract import NAME

PROPERTIES = {
    "State": Variant("s", "none"),
    "CostToday": Variant("d", 0.0),
    "CostTodayBasis": Variant("s", "none"),
    "TokensToday": Variant("t", 0),
    "Inhibited": Variant("b", False),
}


class Inhibitable:
    """``held``: who holds an inhibition, by cookie: application and reason; released when its holder leaves the bus."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[str, str]] = {}
        self._holders: dict[str, list[int]] = {}
        self._last = 0

    def answer(self, message: Message) -> Message | bool:
        if message.member == "NameOwnerChanged" and not message.body[2]:
            for cookie in self._holders.pop(message.body[0], []):
                self.held.pop(cookie, None)
        ours = message.message_type is MessageType.METHOD_CALL and message.destination == NAME
        answers: dict[str, tuple[str, list[Any]]] = {
            "ListSessions": ("aa{sv}", [[]]),
            "GetAll": ("a{sv}", [PROPERTIES]),
        }
        if not ours:
            return False
        if message.member == "Inhibit":
            self._last += 1
            self.held[self._last] = (message.body[0], message.body[1])
            self._holders.setdefault(message.sender or "", []).append(self._last)
            return Message.new_method_return(message, "u", [self._last])
        if message.member == "Uninhibit":
            del self.held[message.body[0]]
            return Message.new_method_return(message)
        signature, body = answers[message.member or ""]
        return Message.new_method_return(message, signature, body)


@asynccontextmanager
async def inhibitable(address: str) -> AsyncIterator[Inhibitable]:
    """On that bus."""
    bus = await MessageBus(address).connect()
    stands = Inhibitable()
    bus.add_message_handler(stands.answer)
    rule = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
    dbus = "org.freedesktop.DBus"
    await bus.call(Message(dbus, "/org/freedesktop/DBus", dbus, "AddMatch", signature="s", body=[rule]))
    await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
    yield stands
    bus.disconnect()
    await bus.wait_for_disconnect()
