"""Who comes first of many whose ranks keep changing, without looking at all of them."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_STALE: Final = 64


class Order(Generic[K]):
    """Keys by rank; of equals the one that has had its rank for longest comes first.

    A heap, in which ranks that have changed are left until they come up, or are too many."""

    def __init__(self) -> None:
        self._entries: dict[K, tuple[Any, int, K]] = {}
        self._heap: list[tuple[Any, int, K]] = []
        self._put = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: K, rank: Any) -> None:
        """Give a key that rank."""
        known = self._entries.get(key)
        if known is None or known[0] != rank:
            self._put += 1
            self._entries[key] = entry = (rank, self._put, key)
            heappush(self._heap, entry)
            if len(self._heap) > _STALE + 2 * len(self._entries):
                self._heap = list(self._entries.values())
                heapify(self._heap)

    def drop(self, key: K) -> None:
        """Leave a key out, if it is there."""
        self._entries.pop(key, None)

    @property
    def first(self) -> tuple[Any, K] | None:
        """The lowest rank and whose it is, None if there is nobody."""
        while self._heap and self._is_stale(self._heap[0]):
            heappop(self._heap)
        return (self._heap[0][0], self._heap[0][2]) if self._heap else None

    def until(self, rank: Any) -> list[K]:
        """All keys of at most that rank, in order."""
        found, places = [], [0]
        while places:  # what lies below a place of a heap ranks no lower
            place = places.pop()
            if place < len(self._heap) and self._heap[place][0] <= rank:
                found.append(self._heap[place])
                places += (2 * place + 1, 2 * place + 2)
        return [entry[2] for entry in sorted(found) if not self._is_stale(entry)]

    def _is_stale(self, entry: tuple[Any, int, K]) -> bool:
        return self._entries.get(entry[2]) is not entry
