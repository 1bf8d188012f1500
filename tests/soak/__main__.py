"""``make soak``: all tapes again and again, interleaved at random, while one fault after the other happens.

SOAK_MINUTES (20) is how long, SOAK_SEED (1) the dice. Exits with 1 when something is not as it should be."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.busdaemon import PrivateBus
from tests.soak.run import Soak


def main() -> int:
    minutes, seed = float(os.environ.get("SOAK_MINUTES", "20")), int(os.environ.get("SOAK_SEED", "1"))
    with tempfile.TemporaryDirectory() as home, PrivateBus() as bus:
        soak = Soak(bus, Path(home), seed)
        try:
            wrong = asyncio.run(soak.run(minutes * 60))
        finally:
            soak.monitor.stop(kill=True)
    print("\n".join(soak.table()))
    for each in wrong:
        print(f"WRONG: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
