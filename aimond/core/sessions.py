"""All sessions that are remembered: visible, hidden, not shown yet, and the newest of those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aimond.core import jump
from aimond.core.attic import Attic
from aimond.core.order import Order
from aimond.core.session import Session
from aimond.core.state import Patience

Key = tuple[str, str]

KEPT: Final = 768
GONE_KEPT: Final = 512
AT_HAND: Final = 32  # of those that are gone: most of what still comes of one comes within a second
PART: Final = 32  # of those kept, that makes room at once
NO_PATIENCE: Final = Patience()


class Sessions(dict[Key, Session]):
    """Sessions by (agent, id), as many as may be kept. Those in the attic are ``in`` it, and come down when they are
    asked for by key; ``get`` and ``values`` pass them over, ``remembered`` does not."""

    def __init__(self, patience: Mapping[str, Patience], kept: int = KEPT) -> None:
        super().__init__()
        self.kept = kept
        self.dropped = 0  # since the start
        self._patience = patience
        self._children: dict[Key, dict[Key, None]] = {}
        self._gone, self._attic = Order[Key](), Attic()

    def __missing__(self, key: Key) -> Session:
        """A session that is told of for the first time, for which those silent for longest make room; or one that is
        gone."""
        if key in self._attic:
            return self._take_down(key)
        if len(self) >= self.kept:
            self._make_room()
        session = self[key] = Session(*key, self._patience.get(key[0], NO_PATIENCE))
        return session

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self._attic

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

    @property
    def remembered(self) -> list[Session]:
        """All of them; those in the attic come down."""
        return [self[key] for key in (*self._attic, *self)]

    def gone(self, session: Session) -> None:
        """It has ended, and nobody sees it; or it was heard of since."""
        self._gone.put((session.agent, session.id), session.last_seen)

    def back(self, key: Key) -> None:
        """It has not, after all."""
        self._gone.drop(key)

    def forget(self, close: Callable[[Session], None]) -> None:
        """Keep only those that were heard of last of those that are gone, for what still comes of them: exporters send
        again. When they ended is their own word, which may be of long ago. ``close``: is told of each that is put
        away."""
        while len(self._gone) > AT_HAND and (first := self._gone.first):
            close(self[first[1]])
            self._put_away(first[1])
        while len(self._attic) > GONE_KEPT - AT_HAND:
            self._attic.forget_oldest()
            self.dropped += 1

    def _put_away(self, key: Key) -> None:
        session = self[key]
        self._unfile(key, session)
        session.filed = ""
        self._attic.put(session)
        del self[key]
        self._gone.drop(key)

    def _take_down(self, key: Key) -> Session:
        session = self[key] = self._attic.take(key)
        self.file(session)
        self.gone(session)
        return session

    def jumped(self, arrivals: int, facts: int) -> None:
        """Time did, see jump.py."""
        for session in self.values():
            jump.arrivals(session, arrivals)
            if facts:
                jump.facts(session, facts)
        self._attic.jumped(arrivals, facts)

    def drop(self, key: Key) -> None:
        """Forget a session."""
        session = self.pop(key)
        self._gone.drop(key)
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
