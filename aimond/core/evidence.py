"""Who says so: the ladder of evidence, and the reasons that are kept for an explanation."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Source(StrEnum):
    """Where an event comes from. A lower one never overturns what a higher one said of the same fact."""

    HOOK = "hook"  # live, from the CLI itself
    SPAN = "span"  # exact, up to 5 s late
    LOG = "log"  # exact for what it says, silent on much
    PROCESS = "process"  # can only end things
    TIMER = "timer"  # inferred, last


LADDER: Final = {source: rank for rank, source in enumerate(Source)}

EXACT: Final = "exact"
INFERRED: Final = "inferred"


class Reason(Struct, frozen=True):
    """One line of an explanation. ``at`` is µs since the epoch; ``record`` names the event, hook or timer."""

    at: int
    state: str
    evidence: str
    confidence: str
    record: str


class Reasons(list[Reason]):
    """The newest reasons of one session, oldest first; older ones are forgotten. (An empty deque takes 600 bytes.)"""

    KEPT: Final = 64

    def add(self, reason: Reason) -> None:
        """One more."""
        del self[: 1 - self.KEPT]
        self.append(reason)
