"""CPU time of understanding, against that of receiving and parsing alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Final

from tests.bench.bodies import Request, recorded
from tests.bench.figure import Figure, of_pairs
from tests.bench.post import Exporter, exporter, wire
from tests.bench.servers import Server, serving

ROUNDS: Final = 7
WARM_UP: Final = 2
# The last counters leave 0.25 s after the last change.
SETTLED: Final = 0.3


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of telemetry, and how much of the floor's CPU time it may cost. ``tool`` "": of all of them."""

    name: str
    tool: str
    signal: str
    bar: float


KINDS: Final = (
    Kind("Claude logs", "claude", "logs", 2.5),
    Kind("Codex logs", "codex", "logs", 2.5),
    Kind("Gemini logs", "gemini", "logs", 2.5),
    Kind("Codex traces", "codex", "traces", 1.3),
    Kind("all metrics", "", "metrics", 1.1),
)
_numbers = count(1)


async def measure(kind: Kind) -> list[Figure]:
    """CPU time per 1,000 records: rounds of both servers in turn, with the same bodies."""
    requests = recorded(kind.tool, kind.signal)
    before = recorded(kind.tool, "logs") if kind.signal != "logs" else []  # the sessions are there already
    thousands = sum(request.items for request in requests) / 1000
    with serving() as servers:
        async with exporter(servers.aimond.port) as to_aimond, exporter(servers.floor.port) as to_floor:
            pairs = []
            for _ in range(WARM_UP + ROUNDS):
                number = next(_numbers)
                await _deliver(before, number, to_aimond)
                floor = await _cost(servers.floor, _deliver(requests, number, to_floor))
                aimond = await _cost(servers.aimond, _deliver(requests, number, to_aimond))
                pairs.append((floor / thousands, aimond / thousands))
    return [of_pairs(f"CPU per 1,000 records, {kind.name}", "ms", pairs[WARM_UP:], kind.bar)]


async def _deliver(requests: Iterable[Request], number: int, to: Exporter) -> None:
    for request in [wire(request.anew(number)) for request in requests]:
        await to.post(request)
    await asyncio.sleep(SETTLED)


async def _cost(server: Server, delivery) -> float:
    before = server.cpu()
    await delivery
    return (server.cpu() - before) / 1e6
