"""How sessions end and come back: what a CLI says before it exits, ends that nobody saw, sessions that are resumed."""

from __future__ import annotations

from typing import Final

from aimond.core import event as ev
from aimond.core.lives import Lives
from aimond.core.session import Session
from aimond.core.turn import SECOND

# Ends that nobody saw: a word from such a session shows that there was none.
PRESUMED: Final = ("expired", "evicted")
# What the CLI says of a session whose process is about to end, and how long that may take.
LEAVES: Final = "ended"
FLUSH: Final = 2 * SECOND


def say(session: Session, event: ev.SessionEnded, lives: Lives) -> None:
    """It goes when its process does, which sends what is left first (40 to 350 ms after the hook)."""
    if event.at < session.newest.resumed:
        return
    session.farewell = event.reason
    if event.reason == LEAVES and session.pid in lives and not lives.exit_of(session.pid):
        session.leaves = session.leaves or session.last_seen + FLUSH
    else:
        session.end(event.at, event.reason)


def unsay(session: Session, prompt: ev.PromptSubmitted) -> None:
    """It was prompted after its farewell."""
    if session.leaves and prompt.at > session.leaves - FLUSH:
        session.farewell, session.leaves = "", 0


def revives(session: Session, event: ev.Event, lives: Lives) -> bool:
    """An ended session is back: prompted again, resumed by another process, or only thought to be gone."""
    if event.at <= session.ended_at or lives.exit_of(event.pid or session.pid):
        return False
    if session.end_reason in PRESUMED:
        return not isinstance(event, ev.SessionDetail) or event.shows
    other_process = bool(session.pid and event.pid and event.pid != session.pid)
    return other_process or isinstance(event, ev.PromptSubmitted)
