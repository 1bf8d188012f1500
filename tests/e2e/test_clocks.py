"""Budgets and days in a running monitor whose clock is set: over midnight, summer time's end, restarts, and back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aimond.bus.client import Monitor, NotRunning
from tests.daemon.mortal import Mortal, mortal, until

BERLIN = ZoneInfo("Europe/Berlin")  # 25 October 2026 has 25 hours there
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("libfaketime.so.1"))
# Each call costs a dollar.
BUDGETS = """
[[budget]]
name = "day"
period = "day"
limit = 4
thresholds = [50, 100]
[[budget]]
name = "week"
period = "week"
limit = 5
thresholds = [100]
[[budget]]
name = "month"
period = "month"
limit = 1000
"""


def local(text: str, fold: int = 0) -> float:
    """When a clock in Berlin shows that; ``fold``: 1 for the second time."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@dataclass
class Clocked:
    """A monitor whose clock can be set, and what it has told."""

    monitor: Mortal
    clock: Path
    crossed: list[tuple[str, float]] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    calls: Any = field(default_factory=lambda: itertools.count(1))

    def set(self, at: float) -> None:
        """Set its clock, which goes on from there."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{at - time.time():+.3f}\n")
        new.replace(self.clock)

    @asynccontextmanager
    async def running(self, *, killed: bool = False) -> AsyncIterator[None]:
        """Start it and listen to it; at the end it is stopped in order, or ``killed``."""
        await self.monitor.start()
        await self.monitor.ready()
        async with await Monitor.connect(self.monitor.bus.address) as reader:
            await reader.subscribe()
            listening = asyncio.create_task(self._listen(reader))
            try:
                yield
            finally:
                await (self.monitor.kill() if killed else self.monitor.stop())
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

    async def _listen(self, reader: Monitor) -> None:
        with suppress(NotRunning):
            async for signal in reader.changes():
                if signal.name == "BudgetCrossed":
                    self.crossed.append((signal.values["budget"], signal.values["fraction"]))
                elif signal.name == "PropertiesChanged":
                    self.shown.update(signal.values["changed_properties"])

    async def call(self, at: float, *, now: float | None = None) -> list[tuple[str, float]]:
        """A model call at that time, told then or ``now``; the thresholds that were crossed by it."""
        self.set(at if now is None else now)
        return await self.send(at, next(self.calls))

    async def send(self, at: float, number: int) -> list[tuple[str, float]]:
        """The record of a call, maybe once more."""
        before = len(self.crossed)
        await self.monitor.call(at, number)
        async with await Monitor.connect(self.monitor.bus.address) as reader:
            await reader.properties()  # signals before this answer have been sent
        await asyncio.sleep(0.4)  # and counters are told four times a second
        return self.crossed[before:]

    async def until_shown(self, name: str, value: float) -> None:
        """Wait until a signal has told that of the monitor."""

        async def is_shown() -> bool:
            return bool(self.shown.get(name) == value)

        await until(is_shown)


@asynccontextmanager
async def clocked(home: Path) -> AsyncIterator[Clocked]:
    clock = home / "clock"
    faked = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with mortal(home, BUDGETS, TZ="Europe/Berlin", **faked) as monitor:
        yield Clocked(monitor, clock)


async def test_thresholds_are_told_once_at_the_right_call(tmp_path: Path) -> None:
    """Over midnight, the hour that comes twice, a restart, a crash, and clocks that are set back."""
    async with clocked(tmp_path) as it:
        it.set(local("2026-10-24 23:00"))
        async with it.running():
            assert await it.call(local("2026-10-24 23:50")) == []
            assert await it.call(local("2026-10-24 23:59:59.5")) == [("day", 0.5)]
            assert await it.call(local("2026-10-25 00:00:00.5")) == []
            assert await it.call(local("2026-10-25 02:30")) == [("day", 0.5)]
        it.set(local("2026-10-25 02:10", fold=1))
        async with it.running(killed=True):
            assert await it.call(local("2026-10-25 02:30", fold=1)) == [("week", 1.0)]
            assert await it.call(local("2026-10-25 23:59:59")) == [("day", 1.0)]
            assert await it.call(local("2026-10-25 23:59:59.5")) == []
            await asyncio.sleep(1)  # a crash may lose the last second
        it.set(local("2026-10-26 00:00:10"))
        async with it.running():
            assert it.crossed.count(("day", 1.0)) == 1
            assert await it.call(local("2026-10-26 00:01")) == []  # Monday: another day, another week
            # Set back by two days: a call of then counts then, and has been told of.
            assert await it.call(local("2026-10-24 23:58")) == []
            assert await it.call(local("2026-10-24 23:58:30")) == [("day", 1.0)]
            assert await it.call(local("2026-10-24 23:59")) == []
            # And forward again; one that comes late counts when it was.
            assert await it.call(local("2026-10-25 12:00"), now=local("2026-10-26 09:00")) == []
            assert await it.call(local("2026-10-26 09:01")) == [("day", 0.5)]
            assert await it.send(local("2026-10-26 09:01"), 13) == []  # sent again
            days = {row["Group"]: row["Calls"] for row in await it.monitor.usage("2026-10-24/2026-10-26", "day")}
            assert days == {"2026-10-24": 5, "2026-10-25": 6, "2026-10-26": 2}
            (sunday,) = await it.monitor.usage("2026-10-25", "agent")
            assert sunday["Calls"] == 6


async def test_at_midnight_today_begins_anew_by_itself(tmp_path: Path) -> None:
    async with clocked(tmp_path) as it:
        it.set(local("2026-10-24 23:59:50"))
        async with it.running():
            await it.call(local("2026-10-24 23:59:57"))
            await it.until_shown("CostToday", 1.0)
            await it.until_shown("CostToday", 0.0)
            shown = await it.monitor.properties()
            assert (shown["CostToday"], shown["TokensToday"], shown["CostMonth"]) == (0.0, 0, 1.0)
