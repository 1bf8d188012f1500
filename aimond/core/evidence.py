"""Who says so: the ladder of evidence, and the reasons that are kept for an explanation."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final

from aimond.core.value import value


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


@value
class Reason:
    """One line of an explanation. ``at`` is µs since the epoch; ``record`` names the event, hook or timer."""

    at: int
    state: str
    evidence: str
    confidence: str
    record: str


class Reasons(deque[Reason]):
    """The newest reasons of one session, oldest first; older ones are forgotten."""

    KEPT: Final = 64

    def __init__(self) -> None:
        super().__init__(maxlen=self.KEPT)
