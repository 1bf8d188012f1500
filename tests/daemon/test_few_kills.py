"""A monitor is killed while CLIs send to it: once they have sent all of it again, each call is counted once."""

from __future__ import annotations

import random
from pathlib import Path

from tests.daemon.mortal import mortal, ordeal
from tests.daemon.sums import TAPES, by_name, noon, of_today, posix, told, truth

EVER = "2025-01-01/2034-12-31"
# One of each CLI and version, none of them with tokens that only metrics have counted: those come 10 s later.
SOME = [
    next(path for path in TAPES if all(part in str(path) for part in parts))
    for parts in (("claude/2.1.330", "streamjson"), ("gemini/0.61.0",), ("codex/0.169.0", "tui"))
]


async def test_five_kills_and_a_resend_come_to_the_truth(tmp_path: Path) -> None:
    tapes = of_today(SOME)
    spine = truth(tapes)
    async with mortal(tmp_path, TZ=posix(noon())) as monitor:
        await ordeal(monitor, tapes, 5, random.Random(5))
        groups = ("agent", "model", "session")
        expected = {group: {name: told(spent) for name, spent in by_name(spine, group).items()} for group in groups}
        await monitor.until(EVER, expected)
        assert monitor.integrity() == ["ok"]
        await monitor.stop()
        await monitor.start()
        await monitor.ready()
        await monitor.until(EVER, expected)
