"""When time jumps: what is known of a session is brought to the time that is now on the wall.

Silence is measured by arrivals, and nobody could speak while the machine slept: arrivals go along with every jump.
What the CLIs date goes along only when the clock is set back, for else it would outrank all that follows. It is never
moved ahead: records that were dated before the jump may still come, and belong to it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from aimond.core.asks import Asks
from aimond.core.event import Event
from aimond.core.session import Session
from aimond.core.turn import Turn


def arrivals(session: Session, by: int) -> None:
    """Move what is measured by arrivals, µs."""
    session.last_seen += by
    session.leaves = session.leaves and session.leaves + by
    if session.resumed and session.resumed.verdict.until:
        verdict = session.resumed.verdict
        session.resumed = replace(session.resumed, verdict=replace(verdict, until=verdict.until + by))


def facts(session: Session, by: int) -> None:
    """Move what was dated. Not so calls, their prices and the prompts that these are found by: they are filed already,
    and sums must not change."""

    def moved(at: int) -> int:
        return at and max(1, at + by)

    for name in ("started_at", "last_at", "logged_at", "ended_at", "back_at"):
        setattr(session, name, moved(getattr(session, name)))
    session.details = {name: (moved(at), text) for name, (at, text) in session.details.items()}
    session.last_error = (moved(session.last_error[0]), *session.last_error[1:])
    session.called_for = list(map(moved, session.called_for))
    asks, session.asks = session.asks, Asks()
    for at, asked in asks.items():
        session.asks.note(moved(at), asked)
    session.verdict = replace(session.verdict, since=moved(session.verdict.since))
    for turn in (session.prologue, *session.turns):
        before = turn.version
        _turn(turn, moved)
        if session.resumed and session.resumed.turn is turn and session.resumed.version == before:
            verdict = replace(session.resumed.verdict, since=moved(session.resumed.verdict.since))
            session.resumed = replace(session.resumed, version=turn.version, verdict=verdict)


def _turn(turn: Turn, moved: Any) -> None:
    turn.started = moved(turn.started)
    turn.wakings = [(moved(at), sources) for at, sources in turn.wakings]
    if turn.rested:
        turn.rested = replace(turn.rested, since=moved(turn.rested.since), at=moved(turn.rested.at))
    turn.events = [_event(event, moved) for event in turn.events]
    turn.recollect()


def _event(event: Event, moved: Any) -> Event:
    began = getattr(event, "started", 0)
    return replace(event, at=moved(event.at), **({"started": moved(began)} if began else {}))
