"""All sessions that are remembered: visible, hidden, not shown yet, and the newest of those that are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aimond.core.session import Session
from aimond.core.state import Patience

Key = tuple[str, str]

KEPT: Final = 1024
GONE_KEPT: Final = 128
PART: Final = 32  # of those kept, that makes room at once
NO_PATIENCE: Final = Patience()


class Sessions(dict[Key, Session]):
    """Sessions by (agent, id), as many as may be kept."""

    def __init__(self, patience: Mapping[str, Patience], kept: int = KEPT) -> None:
        super().__init__()
        self.kept = kept
        self.dropped = 0  # since the start
        self._patience = patience
        self._children: dict[Key, dict[Key, None]] = {}

    def __missing__(self, key: Key) -> Session:
        """A session that is told of for the first time; those silent for longest make room for it."""
        if len(self) >= self.kept:
            self._make_room()
        session = self[key] = Session(*key, self._patience.get(key[0], NO_PATIENCE))
        return session

    def _make_room(self) -> None:
        """Drop some of those that nobody sees, several at once, as ids may be invented by the thousand. Where all are
        seen, the one silent for longest goes."""
        oldest = sorted(self, key=lambda key: (self[key].visible, self[key].last_seen))
        unseen = sum(not session.visible for session in self.values())
        for key in oldest[: max(1, min(unseen, self.kept // PART))]:
            self.drop(key)

    @property
    def visible(self) -> Iterator[Session]:
        return (session for session in self.values() if session.visible)

    def forget(self) -> None:
        """Keep only the newest of those that are gone, for what still comes of them."""
        gone = [key for key, session in self.items() if session.ended_at and not session.visible]
        for key in sorted(gone, key=lambda key: self[key].ended_at)[:-GONE_KEPT]:
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget a session."""
        session = self.pop(key)
        self.dropped += 1
        self._unfile(key, session)

    def file(self, session: Session) -> None:
        """Note whose sub-agent it is, if that is news."""
        if session.filed != session.parent:
            key = session.agent, session.id
            self._unfile(key, session)
            session.filed = session.parent
            if session.filed:
                self._children.setdefault((session.agent, session.filed), {})[key] = None

    def _unfile(self, key: Key, session: Session) -> None:
        """A parent that was never seen is forgotten with the last of its children."""
        siblings = self._children.get((session.agent, session.filed))
        if siblings is not None:
            siblings.pop(key, None)
            if not siblings:
                del self._children[session.agent, session.filed]

    def children(self, session: Session) -> list[Session]:
        """Its sub-agents that are sessions of their own."""
        return [self[key] for key in self._children.get((session.agent, session.id), ())]

    def find(self, wanted: str) -> Session | None:
        """The visible session of that id; ``agent:id`` tells two of the same id apart."""
        agent, _, bare = wanted.partition(":")
        exact = self.get((agent, bare))
        if exact and exact.visible:
            return exact
        return next((session for session in self.visible if session.id == wanted), None)
