"""Between the tracker and its history: what is to be kept is handed over, and taken back when the monitor starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from aimond.config import Config
from aimond.core import ledger
from aimond.core.budget import Budget
from aimond.core.change import Change
from aimond.core.journal import Journal
from aimond.core.period import Period
from aimond.core.rows import Past, SessionRow, UsageRow
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.history.store import Store

# How long rows are collected before they are handed over, seconds; the store takes a little longer to commit them.
COLLECT: Final = 0.5
# Sessions silent for longer are not taken back; nobody sends again what is a day old.
REMEMBERED: Final = 86_400 * SECOND
SESSIONS: Final = 1024
# A month before this one, for calls that are told of late.
BUDGETED: Final = 62 * REMEMBERED

Lives = Callable[[int, int, str], bool]


class Historian:
    """An output of the daemon. ``started``: when a process did, in ticks since boot, 0 if it is not attended to."""

    def __init__(self, store: Store, tracker: Tracker, journal: Journal, started: Callable[[int], int]) -> None:
        self._store, self._tracker, self._journal, self._started = store, tracker, journal, started
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Open the history; what is wrong with it is told by the store."""
        self._store.open()

    def recall(self, now: int, lives: Lives) -> list[Change]:
        """Take back what an earlier run has left; gives what the desktop is to know of it. ``lives``: whether the
        process of that pid and start still runs and is of that agent; it will be attended to. May wait for the disk."""
        past = [self._as_of(now, one, lives) for one in self._store.past(now - REMEMBERED, SESSIONS)]
        self._tracker.ledger.restore(self._store.buckets(now - ledger.KEPT))
        known = self._tracker.resume(past, now)
        if self._tracker.accounts.budgets:
            parts, told = self._store.spending(now - BUDGETED, day_of)
            self._tracker.accounts.restore(parts, told)
        return known

    async def usage(self, period: Period, group: str) -> list[UsageRow]:
        """What was used in those days, by group. Raises ValueError for a group that there is not."""
        self.hand_over()
        return await self._store.usage(_midnight(period.first), _midnight(period.last + timedelta(days=1)), group)

    def _as_of(self, now: int, past: Past, lives: Lives) -> Past:
        row = past.session
        if row.ended_at:
            return past
        if row.pid_start:
            if not lives(row.pid, row.pid_start, row.agent):
                return replace(past, session=_ended(row, row.last_seen, "exited"))
        elif row.last_seen + self._tracker.reviews.expire <= now:
            return replace(past, session=_ended(row, row.last_seen, "expired"))
        return past

    def publish(self, changes: Sequence[Change]) -> None:
        """Let what is new be handed over in a moment, together."""
        if self._timer is None and self._journal:
            self._timer = asyncio.get_running_loop().call_later(COLLECT, self.hand_over)

    def hand_over(self, *, intact: bool = False) -> None:
        """Hand over what is new. ``intact``: nothing follows, the monitor stops in good order."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._store.put(self._journal.take(self._tracker.serves, self._started, intact=intact))

    async def run(self) -> None:
        """Nothing: the store has a thread of its own."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Write what is left, and how every session stands."""
        for session in self._tracker.sessions.visible:
            self._journal.touch(session)
        self.hand_over(intact=True)
        self._store.close()


def budgets(config: Config) -> list[Budget]:
    """The budgets of the settings; ``session.notify_cost`` is the simplest of them."""
    wanted = [
        Budget(
            name=each.title,
            limit=each.limit,
            scope=each.scope,
            of=each.of,
            period=each.period,
            unit=each.unit,
            thresholds=each.thresholds,
        )
        for each in config.budget
    ]
    if config.session.notify_cost:
        wanted.append(
            Budget(name="session", limit=Decimal(str(config.session.notify_cost)), period="session", thresholds=(100,))
        )
    return wanted


def _midnight(day: date) -> int:
    """When a local day begins, µs since the epoch."""
    return round(datetime.combine(day, time()).astimezone().timestamp()) * SECOND


def day_of(at: int) -> date:
    """The local day of a time."""
    return datetime.fromtimestamp(at / SECOND).astimezone().date()


def tomorrow(at: int) -> int:
    """When the local day of a time ends, µs since the epoch."""
    return _end_of_day(at // ledger.BUCKET)


@lru_cache(maxsize=8)  # it is asked with every request
def _end_of_day(quarter: int) -> int:
    return _midnight(day_of(quarter * ledger.BUCKET) + timedelta(days=1))


def _ended(row: SessionRow, at: int, reason: str) -> SessionRow:
    return replace(row, ended_at=at, end_reason=reason)
