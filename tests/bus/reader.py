"""A reader that takes every message as it comes off the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus

NAME = "org.ai.Monitor"
ROOT = "/org/ai/Monitor"
SESSION = "org.ai.Monitor.Session"
PROPERTIES = "org.freedesktop.DBus.Properties"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
ONE = f"{ROOT}/session/claude_2dcode_one"


class Reader:
    """Calls, and the signals heard so far."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self._heard: list[Message] = []

    def hear(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and str(message.path).startswith(ROOT):
            self._heard.append(message)

    async def call(
        self, member: str, *body: Any, takes: str = "", path: str = ROOT, interface: str | None = NAME
    ) -> Message:
        call = Message(NAME, path, interface, member, signature=takes, body=list(body), flags=MessageFlag.NO_AUTOSTART)
        async with asyncio.timeout(10):
            return await self.bus.call(call)

    async def result(self, member: str, *body: Any, **where: Any) -> Any:
        reply = await self.call(member, *body, **where)
        assert reply.message_type is MessageType.METHOD_RETURN, (reply.error_name, reply.body)
        return reply.body[0] if reply.body else None

    async def error(self, member: str, *body: Any, **where: Any) -> str | None:
        reply = await self.call(member, *body, **where)
        assert reply.message_type is MessageType.ERROR, reply.body
        return reply.error_name

    async def properties(self, path: str = ROOT, interface: str = NAME) -> dict[str, Any]:
        return await self.result("GetAll", interface, takes="s", path=path, interface=PROPERTIES)

    async def heard(self) -> list[Message]:
        """The signals since the last time. What was sent before the answer to a Ping has been heard when that comes."""
        await self.result("Ping", interface="org.freedesktop.DBus.Peer")
        heard, self._heard = self._heard, []
        return heard


@asynccontextmanager
async def reading(address: str) -> AsyncIterator[Reader]:
    bus = await MessageBus(address).connect()
    reader = Reader(bus)
    bus.add_message_handler(reader.hear)
    rule = f"type='signal',path_namespace='{ROOT}'"
    dbus = "org.freedesktop.DBus"
    await bus.call(Message(dbus, "/org/freedesktop/DBus", dbus, "AddMatch", signature="s", body=[rule]))
    yield reader
    bus.disconnect()
    await bus.wait_for_disconnect()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  (nobody would set the event)
            await asyncio.sleep(0.01)
