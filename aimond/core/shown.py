"""The sessions that readers are shown, and what each change has to tell of all of them together: kept up one by one, as
that must not take longer the more there are."""

from __future__ import annotations

from typing import Final

from aimond.core.order import Order
from aimond.core.snapshot import RANK, URGENCY, SessionSnapshot, State

Key = tuple[str, str]

_NEEDS_USER: Final = (State.WAITING, State.FAILED)
_UNASKED: Final = RANK[State.WORKING]  # and idle: among those, the one heard of last


class Shown(dict[Key, SessionSnapshot]):
    """Snapshots by (agent, id), to be changed by ``show`` and ``hide`` alone.

    What a sub-agent has finished is its parent's to use: beside others, only what needs the user is told of it."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = {(is_sub_agent, state): 0 for is_sub_agent in (False, True) for state in URGENCY}
        self._by_need = Order[Key]()

    def show(self, key: Key, session: SessionSnapshot) -> None:
        """A session is, or looks, so now."""
        before = self.get(key)
        self[key] = session
        if before is None or _kind(before) != _kind(session):
            self._counts[_kind(session)] += 1
            if before is not None:
                self._counts[_kind(before)] -= 1
        self._by_need.put(key, _need(session))

    def hide(self, key: Key) -> None:
        """A session is not shown, any more or at all."""
        before = self.pop(key, None)
        if before is not None:
            self._counts[_kind(before)] -= 1
            self._by_need.drop(key)

    def count(self, state: State) -> int:
        """How many are in that state, sub-agents not counted."""
        return self._counts[False, state]

    @property
    def state(self) -> State | None:
        """The most urgent that any is in; None where there are none."""
        counts = self._counts
        own = (state for state in URGENCY if counts[False, state] or (state in _NEEDS_USER and counts[True, state]))
        return next(own, None) or next((state for state in URGENCY if counts[True, state]), None)

    @property
    def neediest(self) -> SessionSnapshot | None:
        """The one that most needs its user, else the one heard of last; None where there are none."""
        first = self._by_need.first
        return self[first[1]] if first else None


def _kind(session: SessionSnapshot) -> tuple[bool, State]:
    return bool(session.parent), session.state


def _need(session: SessionSnapshot) -> tuple[bool, int, int, int, str]:
    rank = RANK[session.state]
    aside = bool(session.parent) and session.state not in _NEEDS_USER
    return aside, min(rank, _UNASKED), -session.last_activity, rank, session.id
