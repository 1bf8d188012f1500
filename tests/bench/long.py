"""``python -m tests.bench.long``: what a million records of 10,000 sessions that come and go leave in memory.

Prints a table; exit status 1 when a ratio is above its bar. Takes five minutes on an idle machine.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle
from typing import Final

from tests.bench.figure import HEAD, Figure
from tests.bench.post import exporter, wire
from tests.bench.process import daemon, private
from tests.soak.stories import PATHS, Story, story

# Two tapes of Codex at a terminal are 3,000 spans each; without them a session has some 100 records.
MOST: Final = 1_500
SHOWN: Final = 256
# Sessions: when as many are remembered as may be, hidden threads and those that are gone among them; and after that.
FULL: Final = 6_000
LONG: Final = 10_000
SETTLED: Final = 2.0
FULL_BAR, FRESH_BAR = 1.06, 1.7


async def growth() -> list[Figure]:
    """MB at the end, against when all that is bounded was full, and against after the first call that had a price."""
    told: list[tuple[int, int, float]] = []
    with ExitStack() as running:
        aimond, _ = daemon(running, SHOWN)
        async with exporter(aimond.port) as to:
            stories = _stories()
            for sessions in (1, FULL, FULL + LONG):
                records, known = told[-1][:2] if told else (0, 0)
                while known < sessions:
                    number, one = next(stories)
                    for post in one.anew(number, time.time_ns()):
                        await to.post(wire(post))
                    records += sum(request.items for request in one.requests)
                    known += len(one.truth.used)
                await asyncio.sleep(SETTLED)
                told.append((records, known, private(aimond.process.pid)))
    (_, _, fresh), (early, before, full), (records, sessions, end) = told
    name = f"memory, {(records - early) / 1e6:.1f} million records,"
    return [
        Figure.of_pairs(f"{name} {sessions - before:,} sessions", "MB", [(full, end)], FULL_BAR),
        Figure.of_pairs("… all, since the first priced call", "MB", [(fresh, end)], FRESH_BAR),
    ]


def _stories() -> Iterator[tuple[int, Story]]:
    """All that are short enough, again and again, numbered; the first has calls that are priced."""
    short = [each for path in PATHS if (each := story(path)) and sum(one.items for one in each.requests) <= MOST]
    return zip(count(), cycle(short))


def main() -> int:
    """Measure it."""
    print(HEAD)
    figures = asyncio.run(growth())
    print(*figures, sep="\n")
    return int(not all(figure.holds for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
