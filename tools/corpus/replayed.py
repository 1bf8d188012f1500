"""What ``aimond replay`` said of a tape: its NDJSON, parsed, and every way in which it is not what was promised."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Shown:
    """A state a session was shown in, from ``start`` until ``end`` (infinite when it never left it)."""

    state: str
    start: float
    end: float
    evidence: str
    reason: str = ""
    confidence: str = ""


@dataclass(slots=True)
class Replayed:
    """The changes in order, the last entry of each session by id, and what was wrong with the output."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """Every session id that was ever visible."""
        return {change["session_id"] for change in self.changes if change.get("session_id")} | set(self.sessions)

    def times(self, session: str, change: str) -> list[float]:
        """When a kind of change was told of a session."""
        return [c["t"] for c in self.changes if c["change"] == change and c.get("session_id") == session]

    def shown(self, session: str) -> Iterator[Shown]:
        """The states a session was shown in, one after the other; a removed session is in none."""
        steps = [
            c for c in self.changes if c.get("session_id") == session and c["change"] in ("state", "session-removed")
        ]
        for step, following in pairwise([*steps, None]):
            if step and step["change"] == "state":
                end = following["t"] if following else math.inf
                why = (step.get(key, "") for key in ("evidence", "reason", "confidence"))
                yield Shown(step.get("new", ""), step["t"], end, *why)


def parse(output: str, *, errors: str = "", status: int = 0) -> Replayed:
    """The meaning of a finished replay: its standard output, standard error and exit status."""
    replayed = Replayed()
    if status:
        replayed.faults.append(f"exit status {status}: {_last_line(errors)}")
    if "Traceback (most recent call last)" in errors and not status:
        replayed.faults.append(f"traceback: {_last_line(errors)}")
    ended, now = False, 0.0
    for number, line in enumerate(output.splitlines(), 1):
        change = _object(line)
        if change is None or "change" not in change:
            replayed.faults.append(f"line {number} is not a change: {line[:60]!r}")
        elif ended:
            replayed.faults.append(f"line {number} comes after the end")
        elif change["change"] == "end":
            ended = True
            replayed.sessions = {_id(entry): entry for entry in change.get("sessions", ())}
        elif not isinstance(change.get("t"), int | float) or change["t"] < now:
            replayed.faults.append(f"line {number} has no time, or an earlier one than the line before: {line[:60]!r}")
        else:
            now = change["t"]
            replayed.changes.append(change)
    if not ended:
        replayed.faults.append("the last line is not the end")
    unlisted = {c["session_id"] for c in replayed.changes if c.get("session_id")} - set(replayed.sessions)
    if ended and unlisted:
        replayed.faults.append(f"the end leaves out {', '.join(sorted(unlisted))}")
    return replayed


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _id(entry: dict[str, Any]) -> str:
    return str(entry.get("id") or entry.get("session_id") or "")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
