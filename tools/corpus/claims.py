"""Whether the states a session was shown in, and the calls for its user, say something that is not so. Pure."""

from __future__ import annotations

from typing import Final

from corpus.matching import Matching, Told
from corpus.replayed import Replayed, Shown
from corpus.tape import JITTER, Tape
from corpus.truth import CUT, Session
from corpus.verdict import Verdict

_CALLS: Final = frozenset({"waiting", "failed", "quiet"})


def judge(session: Session, matching: Matching, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    """Adds every false claim to the verdict. A claim is about the newest turn that was known of when it was made."""
    announced = replayed.times(session.id, "completed")
    for shown in replayed.shown(session.id):
        current = matching.current(shown.start)
        if shown.state == "failed" and current:
            _judge_failed(session, shown, current, matching, tape, verdict)
        elif shown.state == "completed" and shown.start not in announced:
            _judge_completed(session.id, shown, current, verdict)
        elif shown.reason == "interrupted" and current and current.turn.outcome == "completed":
            _judge_interrupted(session.id, shown, current, verdict)
    _judge_calls(session.id, replayed, tape, verdict)


def _judge_failed(
    session: Session, shown: Shown, current: Told, matching: Matching, tape: Tape, verdict: Verdict
) -> None:
    turn = current.turn
    retried_until_cut = turn.outcome in CUT and any(turn.start <= time <= turn.end for time in session.errors)
    if turn.outcome == "failed" or retried_until_cut:
        return
    if not _is_news_of_an_earlier_failure(session.id, matching, current, tape):
        verdict.wrong("false_failures", f"{session.id}: {turn} shown as failed at {shown.start:.2f}")


def _is_news_of_an_earlier_failure(session: str, matching: Matching, current: Told, tape: Tape) -> bool:
    failed = (t.turn for t in matching.told if t.turn.outcome == "failed" and t.turn.number < current.turn.number)
    news = (tape.news_within(session, turn.start, turn.end) for turn in failed)
    return any(time is not None and time >= current.known for time in news)


def _judge_completed(session: str, shown: Shown, current: Told | None, verdict: Verdict) -> None:
    if current is None:
        verdict.wrong("cut_completed", f"{session}: shown as completed at {shown.start:.2f}, before any turn")
    elif current.turn.outcome != "completed":
        verdict.wrong("cut_completed", f"{session}: {current.turn} shown as completed at {shown.start:.2f}")
    elif shown.start < current.turn.end - JITTER:
        verdict.wrong("early", f"{session}: {current.turn} shown as completed at {shown.start:.2f}, before its end")


def _judge_interrupted(session: str, shown: Shown, current: Told, verdict: Verdict) -> None:
    problem = f"{session}: {current.turn} called interrupted at {shown.start:.2f}"
    if shown.confidence == "exact":
        verdict.wrong("false_cuts", problem)
    else:
        verdict.notes.append(f"{problem}, as a guess")


def _judge_calls(session: str, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    """The user is called once for each wait, failure and quiet; a further question may come while one is open."""
    reasons = {shown.start for shown in replayed.shown(session) if shown.state in _CALLS}
    reasons |= {hook.t for hook in tape.hooks if hook.session == session and hook.asks}
    for time in replayed.times(session, "attention"):
        if time in reasons:
            reasons.remove(time)
        else:
            verdict.wrong("false_calls", f"{session}: the user is called at {time:.2f} without a new reason")
