"""Whether each turn was announced as what it was, once and in time."""

from __future__ import annotations

import math
from itertools import zip_longest

from corpus import claims
from corpus.matching import LATE, Told, match
from corpus.replayed import Replayed
from corpus.tape import JITTER, Tape
from corpus.truth import CUT, Session
from corpus.verdict import Verdict

# A completed turn's last records are of about its end; when even these are lost, nobody can know of it.
_LAST_WORDS = 1.0


def judge(session: Session, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    """Adds what a session's announcements are worth to the verdict."""
    matching = match(session, replayed, tape)
    for count, problem in matching.wrong:
        verdict.wrong(count, f"{session.id}: {problem}")
    for told, following in zip_longest(matching.told, matching.told[1:]):
        if told.turn.outcome == "completed":
            _judge_completed(session.id, told, following, tape, verdict)
        elif told.turn.outcome == "failed":
            _judge_failed(session.id, told, following, replayed, tape, verdict)
        elif told.turn.outcome in CUT:
            verdict.tally.cut += 1
    claims.judge(session, matching, replayed, tape, verdict)


def _judge_completed(session: str, told: Told, following: Told | None, tape: Tape, verdict: Verdict) -> None:
    turn, tally = told.turn, verdict.tally
    tally.turns += 1
    first = told.first
    if first is None and following and following.turn.synthetic and following.first is not None:
        tally.on_time += 1
        return
    if first is None:
        if tape.news_since(session, turn.end - _LAST_WORDS) is None:
            verdict.notes.append(f"{session}: {turn} never announced: nothing on the tape tells its end")
        elif not told.early:
            verdict.wrong("missed", f"{session}: {turn} never announced")
        return
    if told.completed is None:
        if tape.tells_end(session, turn.start, turn.end):
            verdict.wrong("unsure", f"{session}: {turn} only called quiet, though the tape tells that it is done")
        else:
            tally.quiet += 1
    tally.worst_delay = max(tally.worst_delay, first - turn.end)
    if first - turn.end <= LATE:
        tally.on_time += 1
        return
    news = tape.news_within(session, turn.start, turn.end)
    since = f"{session}: {turn} announced {first - turn.end:.2f} s after its end"
    if news is not None and news - turn.end > LATE and first - news <= LATE:
        tally.news_late += 1
        verdict.notes.append(f"{since}, of which the news took {news - turn.end:.2f} s")
    else:
        verdict.wrong("late", since)


def _judge_failed(
    session: str, told: Told, following: Told | None, replayed: Replayed, tape: Tape, verdict: Verdict
) -> None:
    verdict.tally.failed += 1
    next_known = following.known if following else math.inf
    shown = any(
        state.state == "failed"
        and told.turn.start - JITTER <= state.start < next_known
        and state.end > told.turn.end - JITTER
        for state in replayed.shown(session)
    )
    last_state = replayed.sessions.get(session, {}).get("state") if following is None else ""
    if shown or last_state == "failed":
        verdict.tally.failed_shown += 1
        return
    news = tape.news_within(session, told.turn.start, told.turn.end)
    if news is not None and next_known <= news:
        verdict.notes.append(f"{session}: {told.turn} not shown as failed: its news came with those of the next turn")
    else:
        verdict.wrong("failed_missed", f"{session}: {told.turn} not shown as failed")
