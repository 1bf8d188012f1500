"""What all model calls together used, by time: the totals of a day or a month, whatever session they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aimond.core.change import Totals
from aimond.core.turn import SECOND
from aimond.core.usage import NOTHING, Spent, total

# Local days begin on a quarter of an hour everywhere on Earth.
BUCKET: Final = 900 * SECOND
KEPT: Final = 62 * 86_400 * SECOND
# This day and this month; and the next ones, while clocks and time zones change.
SUMS_KEPT: Final = 4


class Ledger:
    """Spent tokens and money in buckets of a quarter of an hour, two months back."""

    def __init__(self) -> None:
        self._fresh: dict[int, Spent] = {}
        self._buckets: dict[int, Spent] = {}
        self._sums: dict[int, Spent] = {}

    def add(self, at: int, spent: Spent) -> None:
        """Count one model call that ended at ``at``."""
        bucket = at // BUCKET
        self._fresh[bucket] = self._fresh.get(bucket, NOTHING) + spent

    def restore(self, buckets: Mapping[int, Spent]) -> None:
        """Take over what an earlier run has counted."""
        for bucket, spent in buckets.items():
            self.add(bucket * BUCKET, spent)

    def _settle(self) -> None:
        """Add up what came since somebody last asked: many calls at once."""
        for bucket, spent in self._fresh.items():
            self._buckets[bucket] = self._buckets.get(bucket, NOTHING) + spent
            for start in self._sums:
                if bucket >= start:
                    self._sums[start] += spent
        if self._fresh:
            self._forget(max(self._fresh) * BUCKET)
        self._fresh.clear()

    def _forget(self, now: int) -> None:
        oldest = (now - KEPT) // BUCKET
        for bucket in [bucket for bucket in self._buckets if bucket < oldest]:
            del self._buckets[bucket]

    def since(self, start: int) -> Spent:
        """Everything from ``start`` on. Days and months are asked for again and again, so their sums are kept."""
        self._settle()
        first = start // BUCKET
        if first not in self._sums:
            for old in sorted(self._sums)[: 1 - SUMS_KEPT]:
                del self._sums[old]
            self._sums[first] = total(spent for bucket, spent in self._buckets.items() if bucket >= first)
        return self._sums[first]

    def totals(self, day: int, month: int) -> Totals:
        """The totals for panels; ``day`` and ``month`` are when the local ones began."""
        today = self.since(day)
        return Totals(today.known_cost, today.basis, self.since(month).known_cost, today.usage.total)
