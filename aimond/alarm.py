"""The one timer: it sleeps until the next deadline, and there is none while nothing is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aimond.core.turn import SECOND


class Alarm:
    """Rings at the next deadline. ``deadline``: when that is, given the time, None if never; ``now``: both are µs since
    the epoch."""

    def __init__(self, deadline: Callable[[int], int | None], ring: Callable[[], None], now: Callable[[], int]) -> None:
        self._deadline, self._ring, self._now = deadline, ring, now
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0

    def set(self) -> None:
        """The deadline may be another. One that has moved away is left to come: it finds nothing to do."""
        now = self._now()
        deadline = self._deadline(now)
        if deadline is None or (self._timer and self._at <= deadline):
            return
        if self._timer:
            self._timer.cancel()
        self._at = deadline
        self._timer = asyncio.get_running_loop().call_later(max(0.0, (deadline - now) / SECOND), self._rings)

    def reset(self) -> None:
        """The clock was set: how long it is until then is another length of time, too."""
        self._at = 2**63

    def _rings(self) -> None:
        self._timer = None
        self._ring()
