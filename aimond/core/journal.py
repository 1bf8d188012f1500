"""Collects what history is to keep, until somebody takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aimond.core import ending
from aimond.core import event as ev
from aimond.core.books import Change
from aimond.core.budget import Crossing
from aimond.core.event import Outcome
from aimond.core.evidence import Source
from aimond.core.rows import CallRow, CountedRow, CrossedRow, Rows, SessionRow, TurnRow
from aimond.core.session import Session
from aimond.core.snapshot import State
from aimond.core.turn import Turn
from aimond.core.usage import Spent

Key = tuple[str, str]

_OUTCOMES: Final[dict[State, str]] = {
    State.COMPLETED: Outcome.COMPLETED,
    State.FAILED: Outcome.FAILED,
    State.QUIET: "quiet",
    State.IDLE: Outcome.INTERRUPTED,
}


def _nobody_knows(pid: int) -> int:
    return 0


class Journal:
    """Rows of what has happened since they were last taken."""

    def __init__(self) -> None:
        self._touched: dict[Key, Session] = {}
        self._calls: list[CallRow] = []
        self._counted: list[CountedRow] = []
        self._crossed: list[CrossedRow] = []

    def __bool__(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._touched or self._crossed)

    def touch(self, session: Session) -> None:
        """Something of that session is different."""
        self._touched[session.agent, session.id] = session

    def note(self, session: Session, event: ev.Event) -> None:
        """An event was taken in that had not been before."""
        self._touched[session.agent, session.id] = session
        if isinstance(event, ev.ModelCallFinished):
            if event.usage is not None:
                self._calls.append(_call(event))
        elif type(event) in _COUNTED_ONCE and event.source is Source.LOG and event.key:
            key = getattr(event, "call", "") or event.key
            self._counted.append(CountedRow(event.agent, event.session, key, event.at))

    def count(self, session: Session, event: ev.Event) -> None:
        """Something was taken in that a later run must not take in again."""
        self._touched[session.agent, session.id] = session
        self._counted.append(CountedRow(event.agent, event.session, event.key, event.at))

    def crossed(self, crossing: Crossing) -> None:
        """A threshold of a budget was crossed."""
        self._crossed.append(CrossedRow(crossing.budget, crossing.of, crossing.period, crossing.threshold))

    def correct(self, session: Session, change: Change) -> None:
        """What was used under that key is another amount now."""
        self._touched[session.agent, session.id] = session
        now, spent = change.now, change.now.spent
        self._calls.append(
            CallRow(
                agent=session.agent,
                session=session.id,
                key=change.key,
                at=now.at,
                model=now.model,
                requests=spent.requests,
                usage=spent.usage,
                cost=spent.known_cost,
                basis=spent.basis,
                computed=spent.table if spent.tabled or spent.cut else None,
                estimated=bool(spent.estimated),
            )
        )

    def take(
        self, serves: Callable[[Session], str], started: Callable[[int], int] = _nobody_knows, *, intact: bool = False
    ) -> Rows:
        """All that is new. ``serves``: the id of the session that a hidden one works for, "" if none; ``started``: when
        the process of that pid did, 0 if nobody knows; ``intact``: the monitor stops now, and it will be as it is."""
        rows = Rows(calls=self._calls, counted=self._counted, crossed=self._crossed)
        for session in self._touched.values():
            rows.sessions.append(_session(session, serves(session), started(session.pid), intact))
            rows.turns.extend(_turns(session))
        self._touched, self._calls, self._counted, self._crossed = {}, [], [], []
        return rows


def _call(event: ev.ModelCallFinished) -> CallRow:
    spent: Spent = event.spent
    return CallRow(
        agent=event.agent,
        session=event.session,
        key=event.key,
        at=event.at,
        model=event.model,
        usage=spent.usage,
        cost=spent.known_cost,
        basis=spent.basis,
        provider=event.provider,
        computed=event.computed,
        estimated=event.estimated,
    )


def _turns(session: Session) -> list[TurnRow]:
    """Its turns that are not as they were when last asked."""
    first = session.turn_count - len(session.turns) + 1
    noted, rows = {}, []
    for number, turn in enumerate(session.turns, first):
        word = session.verdict if turn is session.newest else session.main_model  # who says how it ended
        mark = noted[number] = (turn.started, turn.version, turn.announced, turn.acknowledged, word)
        if session.noted.get(number) != mark:
            rows.append(_turn(session, turn, number))
    session.noted = noted
    return rows


def _turn(session: Session, turn: Turn, number: int) -> TurnRow:
    ended, outcome, source = _end(session, turn)
    return TurnRow(
        agent=session.agent,
        session=session.id,
        number=number,
        started=turn.started,
        ended=ended,
        outcome=outcome,
        source=source,
        announced=turn.announced,
        acknowledged=turn.acknowledged or "",
        spent=turn.spent,
    )


def _end(session: Session, turn: Turn) -> tuple[int, str, str]:
    verdict = session.verdict
    if turn is session.newest:
        outcome = _OUTCOMES.get(verdict.seen or verdict.state, "")
        return (verdict.since, outcome, verdict.source) if outcome else (0, "", "")
    claim = ending.end(turn)
    outcome = ending.outcome(turn, session.main_model)
    return (claim.at, outcome, claim.source) if claim else (turn.last_at, outcome, Source.LOG)


def _session(session: Session, serves: str, pid_start: int, intact: bool) -> SessionRow:
    verdict, asks = session.verdict, session.may_ask
    at, error_class, message = session.last_error
    details: dict[str, Any] = {name: session.detail(name) for name in DETAILS}
    return SessionRow(
        agent=session.agent,
        id=session.id,
        serves=serves,
        parent=session.parent,
        **details,
        project=session.seen.project if session.seen else "",
        pid=session.pid,
        pid_start=pid_start,
        hidden=session.hidden,
        shown=session.shown,
        hooked=session.hooked,
        asks=-1 if asks is None else int(asks),
        state=verdict.seen or verdict.state,
        reason=verdict.reason,
        state_since=verdict.since,
        evidence=verdict.source,
        confidence=verdict.confidence,
        turns=session.turn_count,
        tool_calls=session.tool_calls,
        errors=session.errors,
        last_error_at=at,
        last_error_class=error_class,
        last_error=message,
        started_at=session.started_at,
        last_at=session.last_at,
        last_seen=session.last_seen,
        ended_at=session.ended_at,
        end_reason=session.end_reason,
        intact=intact,
    )


# What a session says of itself; each of them has a column.
DETAILS: Final = ("title", "version", "model", "main_model", "directory", "host", "terminal")
_COUNTED_ONCE: Final = frozenset({ev.PromptSubmitted, ev.ToolStarted, ev.ToolFinished, ev.ModelCallFailed})
