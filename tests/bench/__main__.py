"""``python -m tests.bench``: what aimond costs, as multiples of what nobody could do without, measured in the same run.

Prints a table; exit status 1 when a ratio is above its bar five times running (what else the machine does moves the
ratios by a fifth). Takes about five minutes on an idle machine.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Final

from tests.bench import cpu, forwarding, history, latency, many, notices, process
from tests.bench.figure import HEAD, Figure

SESSIONS: Final = (1, 50)
AGAIN: Final = 4
MEASUREMENTS: Final = (
    *(partial(latency.measure, sessions) for sessions in SESSIONS),
    partial(latency.measure, 1, is_busy=True),
    notices.measure,
    forwarding.measure,
    partial(forwarding.measure, away=True),
    *(partial(cpu.measure, kind) for kind in cpu.KINDS),
    *process.MEASUREMENTS,
    many.measure,
    history.lag,
    history.measure,
)


def main() -> int:
    """Measure everything."""
    print(HEAD)
    failed = False
    for measure in MEASUREMENTS:
        figures = asyncio.run(measure())
        for _ in range(AGAIN):
            if not _hold(figures):
                figures = asyncio.run(measure())
        failed |= not _hold(figures)
        print(*figures, sep="\n", flush=True)
    return int(failed)


def _hold(figures: list[Figure]) -> bool:
    return all(figure.holds for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
