"""Time from a post's last byte to the signal at a client, against that of a server that does nothing in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from statistics import quantiles
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from tests.bench.figure import Figure
from tests.bench.floor import SIGNAL_PATH
from tests.bench.bodies import Post
from tests.bench.post import Exporter, exporter, wire
from tests.bench.servers import serving
from tests.bench.turns import APART, Step, turns

SAMPLES: Final = 600
WARM_UP: Final = 100
PARTS: Final = 4
PAUSE: Final = 0.001  # seconds; what is left to do after a signal must not burden the next sample
BARS: Final = ((50, 2.5), (99, 5.0))

_RULE: Final = "type='signal',interface='org.ai.Monitor',member='SessionStateChanged'"


class Ear:
    """A client on the bus that waits for changes of state."""

    def __init__(self, bus: MessageBus) -> None:
        self._heard: asyncio.Future[tuple[float, list[Any]]] = asyncio.get_running_loop().create_future()
        bus.add_message_handler(self._hear)

    def _hear(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == "SessionStateChanged":
            self._heard.set_result((time.perf_counter(), message.body))

    async def next(self) -> tuple[float, list[Any]]:
        """When the next one came, and what it said; it must be the only one."""
        heard = await asyncio.wait_for(self._heard, 5)
        self._heard = asyncio.get_running_loop().create_future()
        return heard


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Ear]:
    """On the bus at that address."""
    bus = await MessageBus(address).connect()
    try:
        ear = Ear(bus)
        await bus.call(
            Message("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", signature="s", body=[_RULE])
        )
        yield ear
    finally:
        bus.disconnect()


async def measure(sessions: int) -> list[Figure]:
    """Both percentiles, with so many sessions visible; samples of floor and daemon take turns."""
    first = time.time_ns() - ((WARM_UP + SAMPLES) // sessions + 2) * APART
    steps = list(islice(turns(sessions, first), 2 * sessions + WARM_UP + SAMPLES))
    pairs = []
    with serving() as servers:
        async with (
            listening(servers.bus.address) as ear,
            exporter(servers.aimond.port) as to_aimond,
            exporter(servers.floor.port) as to_floor,
        ):
            for step in steps:
                nothing = wire(Post(SIGNAL_PATH, "application/x-protobuf", bytes(len(step.request))))
                floor, _ = await _sample(nothing, to_floor, ear)
                aimond, said = await _sample(step.request, to_aimond, ear)
                assert (said[1], said[3]) == (step.session, step.state), (said, step.session, step.state)
                pairs.append((floor, aimond))
    floor, aimond = zip(*pairs[-SAMPLES:], strict=True)
    name = f"latency, {sessions} session" + "s" * (sessions > 1)
    return [_figure(name, floor, aimond, percentile, bar) for percentile, bar in BARS]


async def _sample(request: bytes, to: Exporter, ear: Ear) -> tuple[float, list[Any]]:
    """ms from the send to the signal."""
    sent = time.perf_counter()
    to.send(request)
    heard, said = await ear.next()
    await to.answered()
    await asyncio.sleep(PAUSE)
    return (heard - sent) * 1000, said


def _figure(name: str, floor: tuple[float, ...], aimond: tuple[float, ...], percentile: int, bar: float) -> Figure:
    def at(samples): return quantiles(samples, n=100, method="inclusive")[percentile - 1]
    size = len(floor) // PARTS
    parts = [(floor[i:i+size], aimond[i:i+size]) for i in range(0, len(floor), size)]
    ratios = [at(b) / at(a) for a, b in parts]
    return Figure(f"{name}, p{percentile}", "ms", at(floor), at(aimond), at(aimond) / at(floor), ratios, bar)
