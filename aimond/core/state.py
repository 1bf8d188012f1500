"""The table that derives a session's state from the facts of its newest turn. Nothing else sets a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core import ending
from aimond.core.event import Outcome, TurnFinished
from aimond.core.evidence import EXACT, INFERRED, Source
from aimond.core.snapshot import State
from aimond.core.turn import SECOND, SLACK, Rest, Turn
from aimond.core.verdict import Verdict

if TYPE_CHECKING:
    from aimond.core.session import Session


class Patience(Struct, frozen=True):
    """What silence means, per agent. Times in µs, counted from the arrival of the last word; None: nothing.

    After the last answer, until the session counts as quiet: ``settle`` where the agent may ask its user, ``unsure``
    where nothing has told whether it may, ``traced`` where a span is still expected to tell. Where it cannot ask,
    until it ``rests``: ``unattended``, or ``span_lost`` where a span should have told.

    ``failure``: after a failed attempt, longer than any pause between retries. ``wake``: after a sub-agent's end,
    until its parent goes on by itself. ``hold``: for sub-agents that never report back. ``one_per_process``: a
    process shows one session at a time. ``denies_silently``: no record tells that its user refused a tool.
    ``sub_agents_share_trace``: a sub-agent is a session of its own, prompted under its parent's trace id.
    ``prices_turns``: what a turn cost may be told when it is over, and then replaces the prices of its calls."""

    settle: int = 7 * SECOND
    unsure: int = 60 * SECOND
    traced: int = 12 * SECOND
    unattended: int | None = 10 * SECOND
    span_lost: int | None = None
    rests: State = State.COMPLETED
    failure: int = 75 * SECOND
    wake: int = 8 * SECOND
    hold: int = 900 * SECOND
    one_per_process: bool = False
    denies_silently: bool = False
    sub_agents_share_trace: bool = False
    prices_turns: bool = False


# How long after a turn's end the records of its last answer may still come (Gemini CLI 0.61.0: 5.2 s).
OUTCOME_LATE: Final = 6 * SECOND


def derive(session: Session, now: int, busy_child: bool) -> Verdict:
    """The state at ``now``: the first row of the table that applies to the newest turn."""
    turn = session.newest
    if not turn.started and not turn.tool_started and not turn.questions.asked:
        return Verdict(State.IDLE, since=session.started_at)
    verdict = _resumed(session, turn, now) or _by_table(session, turn, now, busy_child)
    if verdict.state in _SEEN_WITH.get(turn.acknowledged, ()):
        return replace(verdict, state=State.IDLE, record="acknowledged", seen=verdict.state)
    return verdict


def _by_table(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict:
    for row in TABLE:
        if verdict := row(session, turn, now, busy_child):
            return verdict
    raise AssertionError("the last row always applies")


def derive_ended(session: Session) -> Verdict:
    """The last state of a session that is over: what its newest turn came to, if nobody said."""
    turn, source = session.newest, Source.PROCESS if session.end_reason == "exited" else Source.LOG
    claim = ending.end(turn)
    outcome = Outcome.INTERRUPTED if turn.wait else ending.outcome(turn, session.main_model)
    if not turn.started:
        return Verdict(State.IDLE, "", session.ended_at, source)
    if claim is not None:
        return Verdict(STATE_OF[outcome], _why(outcome, turn), claim.at, claim.source, EXACT, claim.record)
    if outcome is Outcome.FAILED and turn.failure and not (turn.failure.final or turn.failure.error_class):
        outcome = Outcome.INTERRUPTED  # no answer from anywhere, and still trying: nobody gave up but the user
    state = STATE_OF[outcome]
    if outcome is Outcome.COMPLETED and session.may_ask is not False:
        state = State.QUIET if session.may_ask else session.patience.rests  # it may have stood at a question
    elif outcome is Outcome.COMPLETED and turn.busy_background:
        state = State.IDLE
    reason = _why(outcome, turn)
    return Verdict(state, reason, session.ended_at, source, INFERRED, f"session {session.end_reason}")


def end_turn(session: Session) -> None:
    """Let its last turn have ended with its session, which is about to come back; what came of it has been seen."""
    turn, state = session.turn_at(session.ended_at), session.verdict.state
    outcome = next((outcome for outcome, of in STATE_OF.items() if of is state), Outcome.INTERRUPTED)
    common: dict[str, Any] = {"agent": session.agent, "session": session.id, "at": session.ended_at}
    record = f"session {session.end_reason}"
    turn.add(TurnFinished(**common, source=Source.PROCESS, record=record, outcome=outcome))
    turn.acknowledged = state


def _resumed(session: Session, turn: Turn, now: int) -> Verdict | None:
    """As an earlier run of the monitor left it, while nothing new is heard; what was at work falls quiet in the end."""
    before = session.resumed
    if before is None or turn is not before.turn or turn.version != before.version:
        return None
    until = before.verdict.until
    if until and now >= until:
        return Verdict(State.QUIET, "", until, Source.TIMER, INFERRED, before.verdict.record)
    return before.verdict


def _waiting(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """Blocked on the user, because a hook said so and nothing since proves it over."""
    wait = turn.wait
    if wait is None:
        return None
    return Verdict(State.WAITING, f"{wait.kind}:{wait.tool}".rstrip(":"), wait.at, wait.source, EXACT, wait.record)


def _ended(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """Over, because somebody said so; a completion waits for sub-agents that were left running."""
    claim = ending.end(turn)
    if claim is None:
        return None
    outcome = ending.outcome(turn, session.main_model)
    if not turn.started:
        return Verdict(State.IDLE, "", claim.at, claim.source, EXACT, claim.record)
    if outcome is Outcome.COMPLETED:
        held = _held(session, turn, claim, now)
        if held:
            return held
    elif (
        outcome is Outcome.INTERRUPTED
        and not ending.was_cut(turn)
        and now < (known := session.last_seen + OUTCOME_LATE)
    ):
        # The turn is over; whether it was cut, the answer's own record will tell, which may still be on its way.
        return Verdict(State.IDLE, "", claim.at, claim.source, EXACT, claim.record, known)
    return Verdict(STATE_OF[outcome], _why(outcome, turn), claim.at, claim.source, EXACT, claim.record)


def _answered(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """Over, because the answer itself says that nothing follows."""
    answer = ending.final_answer(turn, session.main_model)
    if answer is None or not answer.ends or busy_child or turn.busy_background:
        return None
    if answer.main is None and answer.model != session.main_model:
        return None
    return Verdict(State.COMPLETED, "", answer.at, answer.source, EXACT, answer.record)


def _held(session: Session, turn: Turn, claim: TurnFinished, now: int) -> Verdict | None:
    if turn.busy_background:
        until = session.last_seen + session.patience.hold
    elif max(turn.wake_ups, default=0) > claim.at:
        until = session.last_seen + session.patience.wake
    else:
        return None
    return Verdict(State.WORKING, "background", claim.at, claim.source, until=until) if now < until else None


def _failing(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """Its last word was a failure: final at once, else when no retry came."""
    failure = turn.failure
    if failure is None or not ending.failed(turn) or turn.call_started > failure.at:
        return None
    reason = failure.error_class or "error"
    if failure.final:
        return Verdict(State.FAILED, reason, failure.at, failure.source, EXACT, failure.record)
    until = session.last_seen + session.patience.failure
    if now < until and not _rested(turn, failure.at):
        return Verdict(State.WORKING, "retrying", turn.resumed, failure.source, until=until)
    return _rest(turn, State.FAILED, until, failure.at, "no retry followed", reason)


def _settled(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """Silent since its final answer: done, or waiting for its user."""
    answer = ending.last_word(turn, session.main_model)
    if answer is None or busy_child or turn.busy_background:
        return None
    patience, asks = session.patience, session.asks.at(answer.at)
    unattended = asks is False
    if unattended and ending.asked_for_a_tool(turn, answer):
        return None
    if turn.traced:
        pause = patience.span_lost if unattended else patience.traced
    else:
        pause = {True: patience.settle, None: patience.unsure, False: patience.unattended}[asks]
    state = patience.rests if unattended else State.QUIET
    if _rested(turn, answer.at):
        return _rest(turn, state, 0, answer.at, "")
    if pause is None:
        return None
    rests = session.last_seen + pause
    if now < rests:
        return Verdict(State.WORKING, "", turn.resumed, until=rests)
    return _rest(turn, state, rests, answer.at, f"silent for {pause // SECOND} s")


def _rested(turn: Turn, at: int) -> bool:
    """Silence has spoken already, and no newer work took it back."""
    return turn.rested is not None and at <= turn.rested.at + SLACK


def _rest(turn: Turn, state: State, since: int, at: int, after: str, reason: str = "") -> Verdict:
    if turn.rested is None or not _rested(turn, at):
        turn.rested = Rest(since, at, after)
    return Verdict(state, reason, turn.rested.since, Source.TIMER, INFERRED, turn.rested.after)


def _working(session: Session, turn: Turn, now: int, busy_child: bool) -> Verdict | None:
    """A turn is under way. (Silence never ends it: Claude Code 2.1.330 retries for minutes without a word.)"""
    reason = f"tool:{turn.current_tool}" if turn.current_tool else ""
    answer = turn.answered
    if answer is None or answer.at < turn.resumed:
        return Verdict(State.WORKING, reason, turn.resumed)
    return Verdict(State.WORKING, reason, answer.at, answer.source, record=answer.record)


def _why(outcome: Outcome, turn: Turn) -> str:
    if outcome is Outcome.FAILED:
        claimed = next((claim.error_class for claim in turn.claims if claim.error_class), "")
        return claimed or (turn.failure.error_class if turn.failure else "") or "error"
    return "interrupted" if outcome is Outcome.INTERRUPTED else ""


# What the user has seen stays seen when it turns out to be better than feared.
_SEEN_WITH: Final[dict[State | None, tuple[State, ...]]] = {
    State.COMPLETED: (State.COMPLETED,),
    State.FAILED: (State.FAILED,),
    State.QUIET: (State.QUIET, State.COMPLETED),
}
STATE_OF: Final = {
    Outcome.COMPLETED: State.COMPLETED,
    Outcome.FAILED: State.FAILED,
    Outcome.INTERRUPTED: State.IDLE,
}
Row = Callable[["Session", Turn, int, bool], Verdict | None]
TABLE: Final[tuple[Row, ...]] = (_waiting, _ended, _failing, _answered, _settled, _working)
