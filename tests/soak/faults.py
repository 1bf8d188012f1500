"""What happens to a monitor under soak, at random. Each fault is over when its function returns."""

from __future__ import annotations

import asyncio
import gzip
import random
import resource
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing, suppress
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from tests.soak.monitor import Monitor

Fault = Callable[[Monitor, random.Random], Awaitable[None]]
_BUS: Final = "org.freedesktop.DBus"
HEAD: Final = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


async def bus_killed(monitor: Monitor, chance: random.Random) -> None:
    monitor.bus.stop()
    await asyncio.sleep(chance.uniform(0, 1))
    monitor.bus.start()


async def bus_stalled(monitor: Monitor, chance: random.Random) -> None:
    monitor.bus.stall()
    await asyncio.sleep(chance.uniform(0, 5))
    monitor.bus.resume()


async def monitor_killed(monitor: Monitor, chance: random.Random) -> None:
    monitor.stop(kill=True)
    await asyncio.to_thread(monitor.start)


async def monitor_restarted(monitor: Monitor, chance: random.Random) -> None:
    await asyncio.to_thread(monitor.stop, kill=False)
    await asyncio.to_thread(monitor.start)


async def history_locked(monitor: Monitor, chance: random.Random) -> None:
    file = monitor.home / "state" / "aimond" / "history.sqlite3"
    assert file.exists()
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(chance.uniform(0, 4))
        other.execute("ROLLBACK")


async def no_descriptors(monitor: Monitor, chance: random.Random) -> None:
    before = resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE, (monitor.files + chance.randrange(3), before[1]))
    try:
        await asyncio.sleep(chance.uniform(0, 2))
    finally:
        resource.prlimit(monitor.pid, resource.RLIMIT_NOFILE, before)


async def crowd(monitor: Monitor, chance: random.Random) -> None:
    """Many connections, each with the beginning of a request."""
    with ExitStack() as held:
        for _ in range(200):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", monitor.desktop.http)
                held.callback(writer.close)
                writer.write(HEAD[: chance.randrange(len(HEAD))])
        await asyncio.sleep(chance.uniform(0, 2))


async def byte_by_byte(monitor: Monitor, chance: random.Random) -> None:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", monitor.desktop.http)
        for byte in HEAD[:5]:
            writer.write(bytes([byte]))
            await asyncio.sleep(1)
        writer.close()


async def garbage(monitor: Monitor, chance: random.Random) -> None:
    bodies = (
        chance.randbytes(10_000),
        gzip.compress(bytes(20 * 2**20)),
        b"[" * 100_000,
        b'{"resourceLogs":' + b'[{"scopeLogs":' * 1000,
        b"\x0a\x80\x80\x80\x80\x08" + chance.randbytes(1000),
    )
    async with ClientSession(timeout=ClientTimeout(30)) as session:
        for body in bodies:
            for kind in ("application/json", "application/x-protobuf"):
                url = f"http://127.0.0.1:{monitor.desktop.http}/v1/{chance.choice(('logs', 'traces', 'metrics'))}"
                with suppress(ClientError, OSError):
                    async with session.post(url, data=body, headers={"Content-Type": kind}) as answer:
                        await answer.read()


async def deaf_reader(monitor: Monitor, chance: random.Random) -> None:
    bus = await MessageBus(monitor.bus.address).connect()
    try:
        await bus.call(Message(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", signature="s", body=["type='signal'"]))
        bus._loop.remove_reader(bus._fd)
        await asyncio.sleep(chance.uniform(0, 5))
    finally:
        bus.disconnect()


# Those after which another process has to be looked at do not happen while growth is measured.
ENDS: Final[tuple[Fault, ...]] = (monitor_killed, monitor_restarted)
OTHERS: Final[tuple[Fault, ...]] = (
    bus_killed,
    bus_stalled,
    history_locked,
    no_descriptors,
    crowd,
    byte_by_byte,
    garbage,
    deaf_reader,
)
