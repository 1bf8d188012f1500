"""A memory of bounded size: what was put in first is forgotten first."""

from __future__ import annotations

from collections.abc import Hashable, ItemsView
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Known = TypeVar("Known")


class Lately(Generic[Key, Known]):
    """The newest ``most`` entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Key, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key) -> Known | None:
        """What was put there last."""
        return self._known.get(key)

    def put(self, key: Key, known: Known) -> None:
        """Remember it, as the newest."""
        self._known.pop(key, None)
        self._known[key] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def items(self) -> ItemsView[Key, Known]:
        """All, the oldest first."""
        return self._known.items()

    def pop(self, key: Key) -> Known | None:
        """Forget it."""
        return self._known.pop(key, None)
