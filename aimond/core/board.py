"""What should be on the user's screen: one entry for each session that is news, bursts of them as one.

Pure: it is told what changed, and says which entries are different. Showing them is ``desktop/notifier.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aimond.core.change import Change, SessionChange, SessionRemoved
from aimond.core.notice import NEWS, STATE_OF, Key, Kind, Notice, notice_of, reworded, together, with_line
from aimond.core.policy import Policy
from aimond.core.snapshot import SessionSnapshot

# Notices of one kind that follow each other within this time are one, µs.
BURST: Final = 3_000_000
MOST: Final = 64

_IN_BURSTS: Final = (Kind.COMPLETED, Kind.FAILED, Kind.QUIET)
# What outlives its session: it is news all the same. (Not where its user typed /clear.)
_STAYS: Final = (Kind.COMPLETED, Kind.FAILED, Kind.BUDGET)
REPLACED: Final = "replaced"


class Entry:
    """One notification: the notices it is made of, of one kind, the newest last; ``key`` is that of the first ever."""

    def __init__(self, notice: Notice, now: int) -> None:
        self.key = notice.key
        self.notices: dict[Key, Notice] = {notice.key: notice}
        self.kind, self.newest = notice.kind, now

    @property
    def notice(self) -> Notice | None:
        """What it says now; None when nothing of it is true any more."""
        return together(tuple(self.notices.values())) if self.notices else None


class Board:
    """All entries, and what is held back: questions while nothing may be shown, anything as long as ``is_looked_at``
    does not know yet (None)."""

    def __init__(self, policy: Policy, is_looked_at: Callable[[SessionSnapshot], bool | None]) -> None:
        self.policy, self._is_looked_at = policy, is_looked_at
        self._entries: dict[Key, Entry] = {}
        self._held: dict[Key, Notice] = {}
        self._bursts: dict[Kind, Entry] = {}
        self._different: dict[Entry, None] = {}

    @property
    def holds(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def entries(self) -> list[Entry]:
        """Those that there are."""
        return list(dict.fromkeys(self._entries.values()))

    def take(self, changes: Sequence[Change], now: int, silent: Callable[[Kind], bool]) -> list[Entry]:
        """The entries that are different after these changes; while ``silent`` says so, nothing new is."""
        if NEWS.isdisjoint(map(type, changes)) and not any(map(self._shows, changes)):
            return []
        sessions: dict[Key, SessionSnapshot] = {}
        news: dict[Key, Notice] = {}
        removed: dict[Key, str] = {}
        for change in changes:
            kind = type(change)
            if isinstance(change, SessionChange):
                key = change.session.agent, change.session.id
                sessions[key] = change.session
                if isinstance(change, SessionRemoved):
                    removed[key] = change.reason
                elif removed:
                    removed.pop(key, None)
            if kind in NEWS and (notice := notice_of(change, self.policy.show_cost)):
                news[notice.key] = notice
        wanted = [notice for notice in news.values() if self._is_news(notice, sessions, removed)]
        taking_over = {notice.key for notice in wanted if notice.kind in STATE_OF}
        for key, session in sessions.items():
            if key not in taking_over:
                self._outdate(key, session, removed.get(key))
        for notice in wanted:
            self._tell(notice, now, silent)
        return self._take_different()

    def _shows(self, change: Change) -> bool:
        """Whether there is anything here of that session, which may be true no longer."""
        if not isinstance(change, SessionChange):
            return False
        key = change.session.agent, change.session.id
        return key in self._entries or key in self._held

    def release(self, now: int, silent: Callable[[Kind], bool]) -> list[Entry]:
        """What was held back may be shown, as far as it is still so and ``silent`` no longer says otherwise."""
        held, self._held = self._held, {}
        for notice in held.values():
            if self._is_wanted(notice):
                self._tell(notice, now, silent)
        return self._take_different()

    def hurry(self, now: int, silent: Callable[[Kind], bool]) -> list[Entry]:
        """The same, and what is not known to be looked at is not waited for any more, as if it were not."""
        looked_at, self._is_looked_at = self._is_looked_at, lambda session: looked_at(session) is True
        return self.release(now, silent)

    def drop(self, entry: Entry) -> None:
        """Forget an entry: the user closed it, or it is no longer on the screen."""
        for key in entry.notices:
            self._entries.pop(key, None)
        entry.notices = {}

    # -- what is true, and wanted -------------------------------------------------------------------

    def _is_news(self, notice: Notice, sessions: Mapping[Key, SessionSnapshot], removed: Mapping[Key, str]) -> bool:
        session = sessions.get(notice.key)
        still = session is None or _is_true(notice, session, removed.get(notice.key))
        return still and self._is_wanted(notice)

    def _is_wanted(self, notice: Notice) -> bool:
        return self.policy.wants(notice) and not (notice.session and self._is_looked_at(notice.session))

    def _outdate(self, key: Key, session: SessionSnapshot, removed: str | None) -> None:
        """Take away what is no longer so, and say otherwise what is so for another reason by now."""
        if (held := self._held.get(key)) and not _is_true(held, session, removed):
            del self._held[key]
        elif held:
            self._held[key] = reworded(held, session)
        entry = self._entries.get(key)
        if entry is None:
            return
        notice = entry.notices[key]
        if not _is_true(notice, session, removed):
            self._leave(key)
        elif (other := reworded(notice, session)) is not notice:
            entry.notices[key] = other
            self._different[entry] = None

    def _tell(self, notice: Notice, now: int, silent: Callable[[Kind], bool]) -> None:
        self._held.pop(notice.key, None)
        if silent(notice.kind):
            if notice.kind in STATE_OF:
                self._leave(notice.key)
            if notice.kind is Kind.WAITING:
                self._held[notice.key] = notice
            return
        if notice.session and self._is_looked_at(notice.session) is None:
            if notice.kind in STATE_OF:
                self._leave(notice.key)
            self._held[notice.key] = notice
            return
        entry = self._entries.get(notice.key)
        if entry and notice.kind is Kind.BUDGET is not entry.kind:
            entry.notices[notice.key] = with_line(entry.notices[notice.key], notice)
        else:
            entry = self._place(notice, now)
        self._different[entry] = None
        for surplus in [each for each in self.entries() if each.kind is not Kind.WAITING][:-MOST]:
            for key in list(surplus.notices):
                self._leave(key)

    def _place(self, notice: Notice, now: int) -> Entry:
        """The entry for it: that of its burst, that of its session, a new one."""
        entry, burst = self._entries.get(notice.key), self._bursts.get(notice.kind)
        if burst and burst.notices and burst.kind is notice.kind and now - burst.newest <= BURST:
            if entry is not burst:
                self._leave(notice.key)
            burst.notices.pop(notice.key, None)
            burst.notices[notice.key], burst.newest = notice, now
            entry = burst
        elif entry and len(entry.notices) == 1:
            entry.notices, entry.kind, entry.newest = {notice.key: notice}, notice.kind, now
        else:
            self._leave(notice.key)
            entry = Entry(notice, now)
        self._entries.pop(notice.key, None)
        self._entries[notice.key] = entry
        if notice.kind in _IN_BURSTS:
            self._bursts[notice.kind] = entry
        return entry

    def _leave(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            del entry.notices[key]
            self._different[entry] = None

    def _take_different(self) -> list[Entry]:
        different = list(self._different)
        self._different.clear()
        return different


def _is_true(notice: Notice, session: SessionSnapshot, removed: str | None) -> bool:
    """Whether the reason for a notice is still there."""
    if removed is not None and (notice.kind not in _STAYS or removed == REPLACED):
        return False
    return notice.kind not in STATE_OF or session.state is STATE_OF[notice.kind]
