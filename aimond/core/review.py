"""What became different of one session: its facts now against what readers were last shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from aimond.core import ending
from aimond.core.change import (
    AttentionNeeded,
    Change,
    DetailsChanged,
    SessionAdded,
    SessionRemoved,
    StateChanged,
    TurnCompleted,
)
from aimond.core.event import Outcome
from aimond.core.evidence import EXACT, INFERRED, Reason, Source
from aimond.core.session import Session
from aimond.core.snapshot import Basis, SessionSnapshot, State
from aimond.core.state import derive, derive_ended
from aimond.core.turn import Turn
from aimond.core.usage import Spent
from aimond.core.verdict import Verdict

NEEDS_USER: Final = (State.WAITING, State.FAILED, State.QUIET)


def last_name(directory: str) -> str:
    """The project of a directory, where nobody knows better: its own name."""
    return directory.rstrip("/").rpartition("/")[2]


def review(
    session: Session, now: int, busy_child: bool, served: Spent, project_of: Callable[[str], str] = last_name
) -> list[Change]:
    """Derive the state, remember what is shown, and list the differences in the order readers should hear of them."""
    before, last = session.seen, session.verdict
    is_late = bool(session.ended_at) and not session.visible and before is not None
    session.verdict = derive_ended(session) if session.ended_at else derive(session, now, busy_child)
    session.seen = snapshot = show(session, served, project_of)
    if is_late:
        return list(_completed_turns(session, snapshot))
    changes: list[Change] = []
    if not session.visible and not session.hidden:
        changes.append(SessionAdded(snapshot))
        session.visible, last, before = True, Verdict(State.IDLE), snapshot
    changes += _state(session, last, snapshot, now)
    changes += _completed_turns(session, snapshot)
    changes.append(DetailsChanged(snapshot))
    if session.ended_at or session.hidden:
        session.visible = False
        changes.append(SessionRemoved(snapshot, session.end_reason or "ended"))
    return changes


def _state(session: Session, last: Verdict, snapshot: SessionSnapshot, now: int) -> Iterator[Change]:
    verdict = session.verdict
    moved = verdict.state is not last.state
    if moved:
        session.reasons.add(
            Reason(now, verdict.state.value, verdict.source.value, verdict.confidence, verdict.record or verdict.reason)
        )
        yield StateChanged(snapshot, last.state)
    left = bool(session.ended_at) and verdict.state is State.QUIET  # whoever closed it knows
    if verdict.state in NEEDS_USER and not left:
        # Once per wait, and once per turn that failed or fell silent, however often its proof is improved.
        known = verdict.since in session.called_for
        if (moved and not known) or (verdict.state is State.WAITING and not known):
            yield AttentionNeeded(snapshot, verdict.reason)
        if not known:
            session.called_for = [*session.called_for[-15:], verdict.since]


def _completed_turns(session: Session, snapshot: SessionSnapshot) -> Iterator[TurnCompleted]:
    """Each turn that is done and was not announced yet, the older ones too: their proof may come late."""
    newest = session.newest
    for turn in session.turns:
        if turn.announced or (turn is not newest and turn.version == turn.reviewed):
            continue
        turn.reviewed = turn.version
        proof = _newest_proof(session) if turn is newest else _older_proof(session, turn)
        if proof:
            turn.announced = True
            yield _announcement(session, turn, snapshot, proof)


def _newest_proof(session: Session) -> Verdict | None:
    verdict = session.verdict
    return verdict if State.COMPLETED in (verdict.state, verdict.seen) else None


def _older_proof(session: Session, turn: Turn) -> Verdict | None:
    """A turn with another one after it is over; with its final answer given, and no hook to say otherwise, it is
    done."""
    if ending.outcome(turn, session.main_model) is not Outcome.COMPLETED:
        return None
    claim = ending.end(turn)
    if claim:
        return Verdict(State.COMPLETED, "", claim.at, claim.source, EXACT)
    if (session.may_ask and session.patience.denies_silently) or Source.HOOK in turn.prompts:
        return None
    return Verdict(State.COMPLETED, "", turn.last_at, Source.LOG, INFERRED)


def _announcement(session: Session, turn: Turn, snapshot: SessionSnapshot, proof: Verdict) -> TurnCompleted:
    answer = turn.answers[-1].at if turn.answers else turn.last_at
    ended = answer if proof.source in (Source.TIMER, Source.PROCESS) else proof.since
    number = session.turn_count - (len(session.turns) - 1 - session.turns.index(turn))
    spent = ending.summed_up(turn)
    # A hook is ahead of the logs that count, and nobody knows of how many.
    known = proof.source is not Source.HOOK
    return TurnCompleted(
        session=snapshot,
        turn=number,
        duration=max(0, ended - turn.started),
        input_tokens=spent.usage.whole_input if known else None,
        output_tokens=spent.usage.output if known else None,
        cost=spent.known_cost if known else None,
        cost_basis=spent.basis if known else Basis.UNKNOWN,
        evidence=proof.source.value,
        confidence=proof.confidence,
    )


def show(session: Session, served: Spent, project_of: Callable[[str], str]) -> SessionSnapshot:
    """What readers are shown; ``served`` is the usage of hidden threads that worked for this session."""
    turn, verdict = session.newest, session.verdict
    spent = session.spent + served if served.requests or served.cost else session.spent
    usage = spent.usage
    directory = session.detail("directory")
    return SessionSnapshot(
        id=session.id,
        agent=session.agent,
        title=session.detail("title"),
        agent_version=session.detail("version"),
        state=verdict.state,
        reason=verdict.reason,
        state_since=verdict.since,
        evidence=verdict.source.value,
        confidence=verdict.confidence,
        model=session.detail("model"),
        project=project_of(directory),
        directory=directory,
        host=session.detail("host"),
        pid=session.pid,
        terminal=session.detail("terminal"),
        parent=session.parent,
        turns=session.turn_count,
        turn_started=turn.started,
        model_calls=spent.requests,
        tool_calls=session.tool_calls,
        current_tool=turn.current_tool if verdict.state is State.WORKING else "",
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        tool_prompt_tokens=usage.tool_prompt,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        cost=spent.known_cost,
        cost_basis=spent.basis,
        errors=session.errors,
        last_error=session.last_error[2],
        last_error_class=session.last_error[1],
        started_at=session.started_at,
        last_activity=session.last_at,
        can_focus=session.can_focus,
    )
