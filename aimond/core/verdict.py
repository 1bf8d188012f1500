"""What a session's facts amount to: a state, why, and by whose word."""

from __future__ import annotations

from msgspec import Struct

from aimond.core.evidence import EXACT, Source
from aimond.core.snapshot import State
from aimond.core.turn import Turn


class Verdict(Struct, frozen=True):
    """A derived state with its reason and its evidence. ``until``: when it may change by itself, 0 = never (µs).
    ``seen``: the state that is hidden behind this one because the user has seen it."""

    state: State
    reason: str = ""
    since: int = 0
    source: Source = Source.LOG
    confidence: str = EXACT
    record: str = ""
    until: int = 0
    seen: State | None = None


class Resumed(Struct, frozen=True):
    """What an earlier run of the monitor said of a session: it stands while its newest turn is that one, and nothing
    new is known of it (``version``)."""

    turn: Turn
    version: int
    verdict: Verdict
