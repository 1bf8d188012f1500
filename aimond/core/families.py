"""Sessions that belong together: who is whose sub-agent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from aimond.core.session import Session
from aimond.core.sessions import Key, Sessions
from aimond.core.snapshot import State

TRACES_KEPT: Final = 1024
MEMBERS_KEPT: Final = 64
GENERATIONS: Final = 8


class Traces:
    """Which sessions were prompted under one trace id: the first is the parent, the others its sub-agents (Codex
    0.169.0)."""

    def __init__(self) -> None:
        self._members: dict[Key, dict[Key, int]] = {}

    def join(self, trace: str, key: Key, at: int) -> dict[Key, str]:
        """Note that this session was prompted at ``at``; the parent's id of all that share the trace, if they do."""
        members = self._members.setdefault((key[0], trace), {})
        members[key] = min(at, members.get(key, at))
        if len(members) > MEMBERS_KEPT:
            members.pop(max(members, key=lambda member: members[member]))
        while len(self._members) > TRACES_KEPT:
            self._members.pop(next(iter(self._members)))
        first = min(members, key=lambda member: (members[member], member))
        return {member: "" if member == first else first[1] for member in members} if len(members) > 1 else {}


def ancestors(session: Session, sessions: Sessions) -> Iterator[Session]:
    """Its parent, and that one's, and so on; strangers could make a ring of them."""
    for _ in range(GENERATIONS):
        parent = sessions.get((session.agent, session.parent)) if session.parent else None
        if parent is None:
            return
        yield parent
        session = parent


def has_busy_child(session: Session, sessions: Sessions) -> bool:
    """A sub-agent of it has not finished."""
    busy = (State.WORKING, State.WAITING)
    return any(child.visible and child.verdict.state in busy for child in sessions.children(session))


def end_sub_agents(session: Session, sessions: Sessions) -> Iterator[Session]:
    """End all that lived for a session that ended, and theirs."""
    gone = [session]
    while gone:
        for child in sessions.children(gone.pop()):
            if not child.ended_at:
                child.end(session.ended_at, session.end_reason)
                gone.append(child)
                yield child


def sub_agents_first(some: Collection[Session], sessions: Sessions) -> list[Session]:
    """Sessions before those who wait for them."""
    if len(some) == 1:
        return list(some)
    return sorted(some, key=lambda session: (-len(list(ancestors(session, sessions))), session.started_at))
