"""Tokens per minute, as they were seen to grow in the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from aimond.commands.look import Session, tokens

WINDOW: Final = 60.0


class Rates:
    """How fast sessions use tokens. Times are in seconds, of any one clock."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._grown: dict[str, deque[tuple[float, int]]] = {}

    def note(self, sessions: Iterable[Session], now: float) -> None:
        """See how many tokens they have used by now. What was used before the first sight is not known to be recent."""
        before, self._last = self._last, {session["Path"]: tokens(session) for session in sessions}
        self._grown = {path: grown for path, grown in self._grown.items() if path in self._last}
        for path, total in self._last.items():
            if (more := total - before.get(path, total)) > 0:
                self._grown.setdefault(path, deque()).append((now, more))
        for grown in self._grown.values():
            while grown and grown[0][0] <= now - WINDOW:
                grown.popleft()

    def per_minute(self, path: str) -> int:
        """The tokens of the minute before the last note."""
        return sum(more for _, more in self._grown.get(path, ()))

    def next_change(self) -> float | None:
        """When a rate falls if nothing happens, None if never."""
        return min((grown[0][0] + WINDOW for grown in self._grown.values() if grown), default=None)
