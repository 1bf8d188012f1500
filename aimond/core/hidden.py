"""Threads that no user opened (Codex title generation): never shown, but paid for. They count under whom they serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aimond.core.families import ancestors, end_sub_agents
from aimond.core.session import Session
from aimond.core.sessions import Sessions
from aimond.core.usage import NOTHING, Spent, by_model, total

Key = tuple[str, str]
# Who a thread serves, less is better: whether another process tells of it, µs between their prompts, its id.
Rank = tuple[bool, int, str]
NOBODY: Final[Rank] = (True, 2**63, "")  # as yet: the one it serves is prompted later, or told of later


class Servants:
    """Whom each hidden thread serves: of the sessions that the same process tells of, the one with the prompt nearest
    in time to its own, whatever came first."""

    def __init__(self, sessions: Mapping[Key, Session]) -> None:
        self._sessions = sessions
        self._serves: dict[Key, Rank] = {}

    def prompted(self, session: Session) -> list[Key]:
        """A session was prompted, or was found to be hidden: see who is nearest now. Gives the threads that serve
        another one than before, and whom they serve and served."""
        before, key = dict(self._serves), (session.agent, session.id)
        if not session.hidden:
            for other in [other for other in self._serves if other[0] == session.agent]:
                if other not in self._sessions:
                    del self._serves[other]
                elif thread := self._sessions.get(other):
                    self._compare(thread, session)
        elif session.prompts:
            for other in [key, *self._serving(session)]:
                self._serves[other], thread = NOBODY, self._sessions[other]
                for candidate in list(self._sessions.values()):
                    if candidate.agent == session.agent and candidate.shown and not candidate.hidden:
                        self._compare(thread, candidate)
        return list(self._concerned(before))

    def _concerned(self, before: Mapping[Key, Rank]) -> Iterator[Key]:
        for thread, (*_, served) in self._serves.items():
            *_, served_before = before.get(thread, NOBODY)
            if served != served_before:
                yield from (thread, (thread[0], served_before), (thread[0], served))

    def _compare(self, thread: Session, candidate: Session) -> None:
        if candidate.prompts and thread.prompts:
            key, found = (thread.agent, thread.id), _rank(thread, candidate)
            self._serves[key] = min(self._serves.get(key, found), found)

    def _serving(self, session: Session) -> list[Key]:
        mine = (key for key, (*_, served) in self._serves.items() if served == session.id and key[0] == session.agent)
        return [key for key in mine if key in self._sessions]

    def restore(self, key: Key, served: str) -> None:
        """Take over what an earlier run had found out, "" if nobody: the nearest until another turns out to be."""
        thread, other = self._sessions[key], self._sessions.get((key[0], served))
        if thread.prompts and other and other.prompts:
            self._serves[key] = _rank(thread, other)
        else:
            self._serves[key] = (False, 0, served) if served else NOBODY

    def served_by(self, session: Session) -> Session | None:
        """The session that this hidden thread works for."""
        found = self._serves.get((session.agent, session.id))
        key = (session.agent, found[-1] if found else "")
        return self._sessions[key] if found and key in self._sessions else None

    def at_hand(self, session: Session) -> list[Session]:
        """The threads that work for this session, but for those that are put away."""
        return [thread for key in self._serving(session) if (thread := self._sessions.get(key))]

    def is_gone(self, thread: Session) -> bool:
        """Nothing is expected of it any more: the session that it worked for has ended."""
        served = self.served_by(thread) if thread.hidden else None
        return bool(served and served.ended_at)

    def spent(self, session: Session) -> Spent:
        """What hidden threads used for this session."""
        if not self._serves:
            return NOTHING
        return total(self.models(session).values())

    def models(self, session: Session) -> Mapping[str, Spent]:
        """The same by model."""
        return by_model(*(self._sessions[key].models for key in self._serving(session)))


def _rank(thread: Session, candidate: Session) -> Rank:
    """The distance is between what began the thread and the nearest prompt of that session."""
    elsewhere = 0 not in (thread.teller, candidate.teller) and thread.teller != candidate.teller
    at = min(thread.prompts)
    return elsewhere, min(abs(at - prompt) for prompt in candidate.prompts), candidate.id


def related(session: Session, sessions: Sessions, servants: Servants) -> Iterator[Session]:
    """Who looks different when this one does: who waits for it, whom it serves, its sub-agents and threads when it
    ends."""
    yield session
    yield from ancestors(session, sessions)
    if session.ended_at:
        yield from end_sub_agents(session, sessions)
        yield from servants.at_hand(session)
    served = servants.served_by(session) if session.hidden else None
    if served and served.visible:
        yield served
