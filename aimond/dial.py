"""Connects to a bus, so that it can be given up half-way, and stays until the end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

from dbus_fast.aio import MessageBus

# Seconds until a connection that nobody wants any more has come about, or never will.
PATIENCE: Final = 0.5


async def dial(bus: MessageBus) -> MessageBus:
    """Connect, and give it back; raises what ``connect`` does.

    Cancelled half-way, dbus-fast itself closes a socket that uvloop still reads from, which aborts the process
    (dbus-fast 5.2, uvloop 0.22): here it is connected first, or hung up on, and then left."""
    connecting = asyncio.ensure_future(bus.connect())
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await asyncio.wait([connecting], timeout=PATIENCE)
        if not connecting.done() and bus._sock:
            bus._sock.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([connecting], timeout=PATIENCE)
        if connecting.done():
            with suppress(Exception):
                connecting.result().disconnect()
        raise
    return bus


async def until_gone(bus: MessageBus) -> None:
    """Wait for the end of a connection, whatever ends it."""
    with suppress(Exception):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
