"""Which sessions were shown, whose child they are, whether they ended, and what they were waiting for. Pure."""

from __future__ import annotations

import math

from corpus.replayed import Replayed, Shown
from corpus.tape import Tape
from corpus.truth import Session, Truth, Wait
from corpus.verdict import Verdict

# A hook is live: what it says must be on the screen this soon (seconds).
PROMPT = 0.3
# How far a hook's own time may lie from the times of the wait it reports, and how long a wait may outlive its news.
_SLACK = 0.5
# Log records that tell of hooks (Claude Code 2.1.330, Gemini CLI 0.61.0).
_HOOK_LOGS = frozenset({"hook_execution_start", "gemini_cli.hook_call"})
_LINGER = 10.0


def judge_presence(truth: Truth, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    """Every session the tape speaks of is shown, no other, and what the end says of it is so."""
    visible = {session.id: session for session in truth.visible}
    for session in truth.visible:
        required = tape.speaks_of(session.id)
        found = session.id in replayed.ids
        verdict.tally.sessions += required
        verdict.tally.found += required and found
        if required and not found:
            verdict.problems.append(f"{session.id}: never shown")
        if found:
            _judge_entry(session, replayed, tape, verdict)
    hidden = {session.id: session.kind for session in truth.sessions if session.hidden}
    for ghost in sorted(replayed.ids - visible.keys()):
        verdict.wrong("ghosts", f"{ghost}: shown, but it is {hidden.get(ghost, 'no session at all')}")


def _judge_entry(session: Session, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    entry = replayed.sessions.get(session.id, {})
    parent = entry.get("parent") or ""
    if parent != session.parent:
        verdict.wrong(
            "parents_wrong", f"{session.id}: parent is {parent or 'nobody'}, not {session.parent or 'nobody'}"
        )
    if session.pid in tape.exits and entry.get("ended") is None:
        verdict.wrong("not_ended", f"{session.id}: not ended, though process {session.pid} exited")


def judge_waits(session: Session, replayed: Replayed, tape: Tape, verdict: Verdict) -> None:
    """Waiting is claimed where a hook says so, at once and until it is over, and nowhere else."""
    waiting = [shown for shown in replayed.shown(session.id) if shown.state == "waiting"]
    waits = [wait for turn in session.turns for wait in turn.waits]
    for shown in waiting:
        hooked = any(word.name in _HOOK_LOGS for word in tape.words.get(session.id, ()))
        if shown.evidence != "hook" and not (shown.evidence == "log" and hooked):
            verdict.wrong(
                "unfounded_waits", f"{session.id}: waiting at {shown.start:.2f} by {shown.evidence or 'nothing'}"
            )
        elif not any(wait.start - _SLACK <= shown.start <= wait.end + _SLACK for wait in waits):
            verdict.wrong(
                "unfounded_waits", f"{session.id}: waiting at {shown.start:.2f}, but nobody was asked anything"
            )
    asked = [hook.t for hook in tape.hooks if hook.session == session.id and hook.asks]
    for wait in waits:
        hooked = min((t for t in asked if wait.start - _SLACK <= t <= wait.end + _SLACK), default=None)
        if hooked is not None:
            verdict.tally.waits += 1
            _judge_wait(session.id, wait, hooked, waiting, tape, verdict)


def _judge_wait(session: str, wait: Wait, hooked: float, waiting: list[Shown], tape: Tape, verdict: Verdict) -> None:
    shown = next((s for s in waiting if s.start <= hooked + PROMPT and s.end > hooked), None)
    if shown is None:
        late = next((f"{s.start - hooked:.2f} s after" for s in waiting if s.start >= hooked), "ever after")
        verdict.wrong("waits_wrong", f"{session}: the wait at {hooked:.2f} not shown within {PROMPT} s, {late}")
        return
    news = tape.news_since(session, wait.end)
    deadline = max(wait.end, wait.end if news is None else news) + _LINGER
    if shown.end > deadline:
        until = "for ever" if shown.end == math.inf else f"until {shown.end:.2f}"
        verdict.wrong("waits_wrong", f"{session}: the wait that was over at {wait.end:.2f} is shown {until}")
        return
    verdict.tally.waits_shown += 1
