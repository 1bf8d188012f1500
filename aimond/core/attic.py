"""Sessions that are gone, folded up: what still comes of them has to find them as they were, and seldom comes."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from aimond.core import jump
from aimond.core.session import Session
from aimond.core.state import Patience

Key = tuple[str, str]

FAST: Final = 1  # of zlib: half of what pickle writes (5 kB); more effort saves hardly more


class Folded(Struct, frozen=True):
    """A session, and how far arrivals and facts had been moved when it was put here."""

    pickled: bytes
    patience: Patience
    arrivals: int
    facts: int


class Attic:
    """Those sessions, in a sixth of the memory that they take while they are at hand."""

    def __init__(self) -> None:
        self._folded: dict[Key, Folded] = {}
        self._arrivals = self._facts = 0

    def __contains__(self, key: object) -> bool:
        return key in self._folded

    def __iter__(self) -> Iterator[Key]:
        return iter(self._folded)

    def __len__(self) -> int:
        return len(self._folded)

    def put(self, session: Session) -> None:
        """Fold one up. Whoever still holds it holds another."""
        pickled = zlib.compress(pickle.dumps(session, pickle.HIGHEST_PROTOCOL), FAST)
        self._folded[session.agent, session.id] = Folded(pickled, session.patience, self._arrivals, self._facts)

    def take(self, key: Key) -> Session:
        """Get one back, brought to the time that is now on the wall. Raises KeyError."""
        folded = self._folded.pop(key)
        session: Session = pickle.loads(zlib.decompress(folded.pickled))  # noqa: S301  (our own, of this process)
        session.patience = folded.patience
        jump.arrivals(session, self._arrivals - folded.arrivals)
        if folded.facts != self._facts:
            jump.facts(session, self._facts - folded.facts)
        return session

    def forget_oldest(self) -> None:
        """Forget the one that has been here for longest. Raises StopIteration where there is none."""
        del self._folded[next(iter(self._folded))]

    def jumped(self, arrivals: int, facts: int) -> None:
        """Time did, see jump.py."""
        self._arrivals += arrivals
        self._facts += facts
