"""Threads that no user opened (Codex title generation): never shown, but paid for. They count under whom they serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aimond.core.families import ancestors, end_sub_agents
from aimond.core.session import Session
from aimond.core.sessions import Sessions
from aimond.core.usage import NOTHING, Spent, by_model, total

Key = tuple[str, str]
NOBODY: Final = (2**63, "")  # as yet: the one it serves is prompted later, or told of later


class Servants:
    """Whom each hidden thread serves: the session with the prompt nearest in time to its own, whatever came first."""

    def __init__(self, sessions: Mapping[Key, Session]) -> None:
        self._sessions = sessions
        self._serves: dict[Key, tuple[int, str]] = {}

    def prompted(self, session: Session) -> None:
        """A session was prompted, or was found to be hidden: see who is nearest now."""
        key = (session.agent, session.id)
        if not session.hidden:
            for other in [other for other in self._serves if other[0] == session.agent]:
                self._compare(other, session)
        elif session.prompts:
            for other in [key, *(other for other in self._serves if self._serves[other][1] == session.id)]:
                self._serves[other] = NOBODY
                for candidate in list(self._sessions.values()):
                    if candidate.agent == session.agent and candidate.shown and not candidate.hidden:
                        self._compare(other, candidate)

    def _compare(self, hidden: Key, candidate: Session) -> None:
        thread = self._sessions.get(hidden)
        if thread is None:
            self._serves.pop(hidden, None)
        elif candidate.prompts and thread.prompts:
            at = min(thread.prompts)
            distance = min(abs(at - prompt) for prompt in candidate.prompts), candidate.id
            self._serves[hidden] = min(self._serves.get(hidden, distance), distance)

    def restore(self, key: Key, served: str) -> None:
        """Take over what an earlier run had found out."""
        self._serves[key] = (0, served)

    def served_by(self, session: Session) -> Session | None:
        """The session that this hidden thread works for."""
        found = self._serves.get((session.agent, session.id))
        return self._sessions.get((session.agent, found[1])) if found else None

    def spent(self, session: Session) -> Spent:
        """What hidden threads used for this session."""
        if not self._serves:
            return NOTHING
        return total(self.models(session).values())

    def models(self, session: Session) -> Mapping[str, Spent]:
        """The same by model."""
        mine = [key for key, (_, served) in self._serves.items() if served == session.id and key[0] == session.agent]
        return by_model(*(self._sessions[key].models for key in mine if key in self._sessions))


def related(session: Session, sessions: Sessions, servants: Servants) -> Iterator[Session]:
    """Who looks different when this one does: who waits for it, its sub-agents when it ends, whom it serves."""
    yield session
    yield from ancestors(session, sessions)
    if session.ended_at:
        yield from end_sub_agents(session, sessions)
    served = servants.served_by(session) if session.hidden else None
    if served and served.visible:
        yield served
