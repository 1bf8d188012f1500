"""Sessions of an earlier run of the monitor, as they were; after a crash less what was open: calls, tools and waits."""

from __future__ import annotations

from typing import Any, Final

from aimond.core.books import turns_in
from aimond.core.event import Outcome, TurnFinished, WaitStarted
from aimond.core.evidence import INFERRED, Source
from aimond.core.journal import DETAILS
from aimond.core.rows import Past, SessionRow, TurnRow
from aimond.core.session import Session
from aimond.core.snapshot import State
from aimond.core.state import Patience
from aimond.core.turn import Turn
from aimond.core.verdict import Resumed, Verdict

RESTART: Final = "restart"
_OPEN: Final = (State.WORKING, State.WAITING)


def session(past: Past, patience: Patience, now: int) -> Session:
    """That session. Until something new is heard of it, its state is the one it had; after a crash, one that was at
    work or waited for its user is thought to be at work, which is inferred."""
    row = past.session
    made = Session(row.agent, row.id, patience)
    made.hidden, made.shown, made.hooked = row.hidden, row.shown, row.hooked
    made.told_parent, made.pid = row.parent, row.pid
    for name in DETAILS:
        made.say(name, getattr(row, name), row.last_at)
    if row.asks >= 0:
        made.asks.note(row.last_at, bool(row.asks))
    made.models = dict(past.models)
    made.tool_calls, made.errors = row.tool_calls, row.errors
    made.last_error = (row.last_error_at, row.last_error_class, row.last_error)
    made.started_at, made.last_at, made.last_seen = row.started_at, row.last_at, row.last_seen
    made.ended_at, made.end_reason = row.ended_at, row.end_reason
    made.tools.update(past.keys)
    made.keys.restore(past.keys)
    made.turn_count = row.turns
    made.turns = [_turn(turn, row) for turn in past.turns]
    made.prompts = [turn.started for turn in made.turns]
    if patience.prices_turns:
        made.books.restore(past.calls, made.prompts, turns_in(row.agent, row.id, past.keys))
    else:
        made.books.restore([call for call in past.calls if not call.requests], (), ())
    made.books.measured.restore(row.agent, row.id, past.keys)
    newest = made.newest
    if row.intact and row.state == State.WAITING:
        newest.add(_question(row))
    made.resumed = Resumed(newest, newest.version, _verdict(row, now, patience))
    return made


def _verdict(row: SessionRow, now: int, patience: Patience) -> Verdict:
    state = State(row.state) if row.state in list(State) else State.IDLE
    if state in _OPEN and not row.intact:
        return Verdict(State.WORKING, "", row.state_since, Source.TIMER, INFERRED, RESTART, now + patience.hold)
    until = now + patience.hold if state is State.WORKING else 0
    return Verdict(state, row.reason, row.state_since, _source(row.evidence), row.confidence, RESTART, until)


def _question(row: SessionRow) -> WaitStarted:
    kind, _, tool = row.reason.partition(":")
    common: dict[str, Any] = {"agent": row.agent, "session": row.id, "at": row.state_since, "record": RESTART}
    return WaitStarted(**common, source=_source(row.evidence), kind=kind, tool=tool)


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
