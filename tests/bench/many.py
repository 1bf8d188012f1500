"""Many live sessions: what one of them costs must not rise with their number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from tests.bench.figure import Figure
from tests.bench.post import Exporter, exporter
from tests.bench.process import daemon
from tests.bench.servers import Server
from tests.bench.turns import APART, STEPS, Step, turns

FEW: Final = 100
MANY: Final = (1_000, 10_000)
TURNS: Final = 200  # that are measured together
ROUNDS: Final = 5
REST: Final = 0.5  # seconds: what follows from a request is part of it
BAR: Final = 1.5


async def measure() -> list[Figure]:
    """µs of CPU of a request: one that opens a session, the last against the first of them; and one of a session at
    work, against the same where there are few."""
    return [figure for sessions in MANY for figure in await _among(sessions)]


async def _among(sessions: int) -> list[Figure]:
    with ExitStack() as running:
        few, many = (daemon(running, number)[0] for number in (FEW, sessions))
        async with exporter(few.port) as to_few, exporter(many.port) as to_many:
            of_few, of_many = (turns(number, time.time_ns() - APART) for number in (FEW, sessions))
            await _cost(few, to_few, of_few, FEW)
            await _cost(many, to_many, of_many, FEW)  # the first calls that are priced are dear
            first = await _cost(many, to_many, of_many, TURNS)
            await _cost(many, to_many, of_many, sessions - FEW - 2 * TURNS)
            last = await _cost(many, to_many, of_many, TURNS)
            at_work = [
                (await _cost(few, to_few, of_few, TURNS), await _cost(many, to_many, of_many, TURNS))
                for _ in range(ROUNDS)
            ]
    name = f"a request, {sessions:,} sessions"
    return [
        Figure.of_pairs(f"{name} opened", "µs", [(first, last)], BAR),
        Figure.of_pairs(f"{name} at work", "µs", at_work, BAR),
    ]


async def _cost(server: Server, to: Exporter, steps: Iterator[Step], count: int) -> float:
    """µs of CPU for each request of so many turns."""
    before = server.cpu()
    for _, step in zip(range(len(STEPS) * count), steps, strict=False):
        await to.post(step.request)
    await asyncio.sleep(REST)
    return (server.cpu() - before) / 1000 / (len(STEPS) * count)
