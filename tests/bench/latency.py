"""Time from a post to the signal at a client, against a server that does nothing in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from statistics import quantiles
from typing import Any, Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.bench.background import busy
from tests.bench.bodies import Post
from tests.bench.figure import Figure
from tests.bench.floor import SIGNAL_PATH
from tests.bench.post import Exporter, exporter, wire
from tests.bench.servers import serving
from tests.bench.turns import APART, turns

SAMPLES: Final = 1000
FEWER: Final = 500  # of those under load, which take longer
WARM_UP: Final = 100
PART: Final = 250
REST: Final = 0.001  # seconds; what a server does after its signal must not burden the next sample
BARS: Final = ((50, 2.1), (99, 3.0))  # percentiles
BUSY: Final = ((50, 3.0), (99, 4.0))

ASKED: Final = "00000000-0000-4000-8000-"  # the sessions of turns.py and the one of the floor
_SIGNAL: Final = "SessionStateChanged"
_MATCH: Final = f"type='signal',interface='org.ai.Monitor',member='{_SIGNAL}'"

Heard = tuple[float, list[Any]]


class Ear:
    """A client on the bus that waits for changes of state."""

    def __init__(self, bus: MessageBus) -> None:
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()
        bus.add_message_handler(self._hear)

    def _hear(self, message: Message) -> None:
        is_signal = message.message_type is MessageType.SIGNAL and message.member == _SIGNAL
        if is_signal and message.body[1].startswith(ASKED):
            self._heard.put_nowait((time.perf_counter(), message.body))

    async def heard(self) -> Heard:
        """When the next change came, and what it said."""
        return await asyncio.wait_for(self._heard.get(), 5)


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Ear]:
    """A client of its own connection."""
    bus = await MessageBus(address).connect()
    try:
        name = "org.freedesktop.DBus"
        await bus.call(Message(name, "/org/freedesktop/DBus", name, "AddMatch", signature="s", body=[_MATCH]))
        yield Ear(bus)
    finally:
        bus.disconnect()


async def measure(sessions: int, *, is_busy: bool = False) -> list[Figure]:
    """ms with so many sessions visible; samples of floor and aimond take turns. ``is_busy``: while both are sent 1,000
    records a second, of which the sessions are shown too."""
    samples = FEWER if is_busy else SAMPLES
    warm_up = max(WARM_UP, 2 * sessions)  # every session is there afterwards
    first = time.time_ns() - (warm_up + samples) * APART  # nothing is told from the future
    pairs: list[tuple[float, float]] = []
    with serving(sessions + 128 * is_busy) as servers, busy(servers.bus, *servers.ports * is_busy):
        async with (
            listening(servers.bus.address) as ear,
            exporter(servers.floor.port) as to_floor,
            exporter(servers.aimond.port) as to_aimond,
        ):
            for step in turns(sessions, first):
                if not step.state:
                    await to_aimond.post(step.request)
                    await asyncio.sleep(REST)
                    continue
                nothing = wire(Post("", SIGNAL_PATH, "application/x-protobuf", bytes(step.size)))
                floor, _ = await sample(nothing, to_floor, ear)
                aimond, (_, session, _, state, _) = await sample(step.request, to_aimond, ear)
                assert (session, state) == (step.session, step.state)
                pairs.append((floor, aimond))
                if len(pairs) == warm_up + samples:
                    break
    measured = pairs[warm_up:]
    parts = [measured[start : start + PART] for start in range(0, samples, PART)]
    name = f"latency, {sessions} session{'s' * (sessions > 1)}"
    name += ", 1,000 records/s" * is_busy
    bars = BUSY if is_busy else BARS
    return [Figure.of_samples(f"{name}, p{n}", "ms", parts, partial(percentile, n), bar) for n, bar in bars]


async def sample(request: bytes, to: Exporter, ear: Ear) -> Heard:
    """How long the signal took, ms, and what it said."""
    sent = time.perf_counter()
    to.send(request)
    at, said = await ear.heard()
    await to.answered()
    await asyncio.sleep(REST)
    return (at - sent) * 1000, said


def percentile(n: int, samples: Sequence[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[n - 1]
