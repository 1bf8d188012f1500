"""Sessions of an earlier run of the monitor, as they were, less what was open: calls, tools and waits."""

from __future__ import annotations

from typing import Any, Final

from aimond.core.event import Outcome, TurnFinished
from aimond.core.evidence import INFERRED, Source
from aimond.core.journal import DETAILS
from aimond.core.rows import Past, SessionRow, TurnRow
from aimond.core.session import Session
from aimond.core.snapshot import State
from aimond.core.state import Patience
from aimond.core.turn import Turn
from aimond.core.usage import total
from aimond.core.verdict import Resumed, Verdict

RESTART: Final = "restart"
_OPEN: Final = (State.WORKING, State.WAITING)


def session(past: Past, patience: Patience, now: int) -> Session:
    """That session. Until something new is heard of it, its state is the one it had; one that was at work is thought to
    be so still, which is inferred."""
    row = past.session
    made = Session(row.agent, row.id, patience)
    made.hidden, made.shown, made.hooked = row.hidden, row.shown, row.hooked
    made.told_parent, made.pid = row.parent, row.pid
    for name in DETAILS:
        made.say(name, getattr(row, name), row.last_at)
    if row.asks >= 0:
        made.asks.note(row.last_at, bool(row.asks))
    made.models, made.spent = dict(past.models), total(past.models.values())
    made.tool_calls, made.errors = row.tool_calls, row.errors
    made.last_error = (row.last_error_at, row.last_error_class, row.last_error)
    made.started_at, made.last_at, made.last_seen = row.started_at, row.last_at, row.last_seen
    made.ended_at, made.end_reason = row.ended_at, row.end_reason
    made.tools.update(past.keys)
    made.keys.restore(past.keys)
    made.turn_count = row.turns
    made.turns = [_turn(turn, row) for turn in past.turns]
    made.prompts = [turn.started for turn in made.turns]
    newest = made.newest
    made.resumed = Resumed(newest, newest.version, _verdict(row, now, patience))
    return made


def _verdict(row: SessionRow, now: int, patience: Patience) -> Verdict:
    state = State(row.state) if row.state in list(State) else State.IDLE
    if state in _OPEN:
        since, until = row.state_since, now + patience.hold
        return Verdict(State.WORKING, "", since, Source.TIMER, INFERRED, RESTART, until)
    return Verdict(state, row.reason, row.state_since, _source(row.evidence), row.confidence, RESTART)


def _turn(row: TurnRow, of: SessionRow) -> Turn:
    turn = Turn(row.started)
    if row.outcome in list(Outcome):
        common: dict[str, Any] = {"agent": row.agent, "session": row.session, "at": row.ended, "record": RESTART}
        # Work that starts later shows that it went on.
        end = TurnFinished(
            **common,
            source=_source(row.source),
            outcome=Outcome(row.outcome),
            error_class=of.reason if row.outcome == Outcome.FAILED and row.number == of.turns else "",
            weak=True,
        )
        turn.add(end)
    turn.spent = row.spent
    turn.announced = row.announced
    turn.acknowledged = State(row.acknowledged) if row.acknowledged else None
    turn.reviewed = turn.version
    return turn


def _source(name: str) -> Source:
    return Source(name) if name in list(Source) else Source.LOG
