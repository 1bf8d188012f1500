"""What really happened while a tape was recorded: the truth file, typed. Times are seconds since the tape's start."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

CUT: Final = frozenset({"interrupted", "killed", "unfinished"})

# Each model's tokens by kind, in the words of the replay, and its "requests". Zeros are left out: equal means equal.
Usage = dict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Wait:
    """The user was asked for a permission or an answer; ``end`` is the key press."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. ``end`` is infinite when no witness tells it; ``synthetic`` turns were typed by nobody."""

    number: int
    start: float
    end: float
    outcome: str
    synthetic: bool
    waits: tuple[Wait, ...]

    def __str__(self) -> str:
        return f"turn {self.number} ({self.start:.2f} to {self.end:.2f}, {self.outcome})"


@dataclass(frozen=True, slots=True)
class Session:
    """One session id. ``pid`` is the process the user started, ``errors`` the times of failed model calls, ``usage``
    what its telemetry carries of its tokens."""

    id: str
    kind: str
    hidden: bool
    parent: str
    pid: int
    turns: tuple[Turn, ...]
    errors: tuple[float, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Truth:
    """All sessions of a tape, hidden ones too."""

    sessions: tuple[Session, ...]

    @property
    def visible(self) -> list[Session]:
        return [session for session in self.sessions if not session.hidden]


def read(document: dict[str, Any]) -> Truth:
    """The truth in a parsed truth file."""
    return Truth(tuple(_session(raw) for raw in document["sessions"]))


def _session(raw: dict[str, Any]) -> Session:
    return Session(
        id=raw["session_id"],
        kind=raw["kind"],
        hidden=raw["hidden"],
        parent=raw.get("parent_session_id") or "",
        pid=raw.get("process_pid") or 0,
        turns=tuple(_turn(number, turn) for number, turn in enumerate(raw["turns"], 1)),
        errors=tuple(error["t"] for error in raw.get("errors") or ()),
        usage=_usage(raw.get("observable_usage") or {}),
    )


def _turn(number: int, raw: dict[str, Any]) -> Turn:
    return Turn(
        number=number,
        start=raw["start"],
        end=_or_never(raw["end"]),
        outcome=raw["outcome"],
        synthetic=raw.get("synthetic", False),
        waits=tuple(Wait(wait["start"], _or_never(wait["end"])) for wait in raw.get("waits") or ()),
    )


def _or_never(time: float | None) -> float:
    return math.inf if time is None else time


def _usage(raw: dict[str, dict[str, int]]) -> Usage:
    usage: Usage = {}
    for model, counts in raw.items():
        kinds: Counter[str] = Counter()
        for kind, count in counts.items():
            # Replay shows one number for both lifetimes of a cache write.
            kinds["cache_write" if kind.startswith("cache_write") else kind] += count
        usage[model] = +kinds
    return usage
