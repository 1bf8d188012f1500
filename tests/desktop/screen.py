"""A notification daemon that writes down what it is told, on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
ALL = ("actions", "body", "body-markup", "persistence")


@dataclass(frozen=True)
class Shown:
    """One notification as it was asked for."""

    number: int
    replaces: int
    application: str
    icon: str
    summary: str
    body: str
    actions: list[str]
    hints: dict[str, Any]
    expires: int

    @property
    def text(self) -> str:
        return f"{self.summary} | {self.body}".rstrip("| ")


@dataclass
class Screen:
    """What is on it now (``shown``), and every call (``told``): ``show TEXT``, ``close NUMBER``, ``ask``."""

    bus: MessageBus
    capabilities: tuple[str, ...] = ALL
    inhibited: bool | None = None
    shown: dict[int, Shown] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    calls: list[Shown] = field(default_factory=list)
    last: int = 0
    is_stalled: bool = False
    refuses: bool = False
    _late: list[Message] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.shown.values()]

    @property
    def shows(self) -> list[str]:
        return [word for word in self.told if word.startswith("show ")]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait for a condition."""
        try:
            async with asyncio.timeout(10):
                while True:
                    if holds():
                        return
                    await asyncio.sleep(0.002)
        except TimeoutError:
            raise AssertionError(f"not reached; on screen: {self.texts}, told: {self.told}") from None

    def answer(self, call: Message) -> Message | bool:
        if call.message_type is not MessageType.METHOD_CALL or call.path != PATH:
            return False
        if not self.bus.connected:
            return True
        if self.is_stalled:
            self._late.append(call)
            return True
        match call.member:
            case "GetCapabilities":
                self.told.append("ask")
                return Message.new_method_return(call, "as", [list(self.capabilities)])
            case "Get" if self.inhibited is not None:
                return Message.new_method_return(call, "v", [Variant("b", self.inhibited)])
            case "Notify" if self.refuses:
                self.told.append("refuse")
                return Message.new_error(call, "org.freedesktop.DBus.Error.LimitsExceeded", "too many")
            case "Notify":
                return Message.new_method_return(call, "u", [self._notify(*call.body)])
            case "CloseNotification":
                self.told.append(f"close {call.body[0]}")
                if self.shown.pop(call.body[0], None):
                    self.signal("NotificationClosed", "uu", [call.body[0], 3])
                return True
        return Message.new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "no such thing")

    def go_on(self) -> None:
        """Answer what came while it was stalled."""
        self.is_stalled, late, self._late = False, self._late, []
        for call in late:
            reply = self.answer(call)
            if isinstance(reply, Message):
                self.bus.send(reply)

    def _notify(self, application: str, replaces: int, icon: str, *more: Any) -> int:
        number = replaces if replaces in self.shown else self.last + 1
        self.last = max(self.last, number)
        summary, body, actions, hints, expires = more
        values = {name: value.value for name, value in hints.items()}
        shown = Shown(number, replaces, application, icon, summary, body, actions, values, expires)
        self.shown[number] = shown
        self.calls.append(shown)
        self.told.append(f"show {shown.text}")
        return number

    def signal(self, member: str, signature: str, body: list[Any], interface: str = NAME) -> None:
        self.bus.send(Message.new_signal(PATH, interface, member, signature, body))

    def click(self, number: int, action: str, token: str = "") -> None:
        """As mako does it: no NotificationClosed follows."""
        del self.shown[number]
        if token:
            self.signal("ActivationToken", "us", [number, token])
        self.signal("ActionInvoked", "us", [number, action])

    def close(self, number: int, reason: int) -> None:
        """1: it ran out; 2: the user closed it."""
        del self.shown[number]
        self.signal("NotificationClosed", "uu", [number, reason])

    def disturb(self, *, not_: bool) -> None:
        """Do not disturb, as Plasma has it."""
        self.inhibited = not_
        properties = "org.freedesktop.DBus.Properties"
        self.signal("PropertiesChanged", "sa{sv}as", [NAME, {"Inhibited": Variant("b", not_)}, []], properties)


@asynccontextmanager
async def screen(address: str, **how: Any) -> AsyncIterator[Screen]:
    """One that owns the name for as long as this lasts."""
    bus = await MessageBus(address).connect()
    daemon = Screen(bus, **how)
    bus.add_message_handler(daemon.answer)
    await bus.request_name(NAME)
    try:
        yield daemon
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()
