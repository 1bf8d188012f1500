"""Which events a session has taken in: exporters send again what they are not sure of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

KEPT: Final = 4096


class Keys:
    """The newest keys of events. Hashes are kept: valid within one process only, and a third of the memory."""

    def __init__(self) -> None:
        self._known: dict[int, None] = {}
        self._past: set[int] = set()

    def add(self, key: str) -> bool:
        """Remember a key; False if it is known already."""
        number = hash(key)
        if number in self._known:
            return False
        self._known[number] = None
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return True

    def counted(self, key: str) -> bool:
        """Whether an earlier run of the monitor has counted it: what it says is a fact again, but in the sums."""
        return bool(self._past) and hash(key) in self._past

    def restore(self, keys: Iterable[str]) -> None:
        """Take over what an earlier run has counted."""
        self._past.update(map(hash, keys))
