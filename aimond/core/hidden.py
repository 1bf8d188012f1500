"""Threads that no user opened (Codex title generation): never shown, but paid for. They count under whom they serve."""

from __future__ import annotations

from collections.abc import Iterable

from aimond.core.session import Session


def served_by(session: Session, sessions: Iterable[Session]) -> list[Session]:
    """The hidden threads that worked for this session: those whose prompt was nearest in time to one of its own.

    Derived whenever it is asked, so that it does not matter which of them was heard of first.
    """
    kin = [other for other in sessions if other.agent == session.agent and other.prompts]
    hidden = [other for other in kin if other.hidden]
    if not hidden:
        return []
    shown = [other for other in kin if other.shown and not other.hidden]
    return [thread for thread in hidden if _nearest(thread.prompts[0], shown) is session]


def _nearest(at: int, sessions: list[Session]) -> Session | None:
    distances = ((min(abs(at - prompt) for prompt in session.prompts), session.id, session) for session in sessions)
    return min(distances, key=lambda candidate: candidate[:2], default=(0, "", None))[2]
