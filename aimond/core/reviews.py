"""What became different by a batch of events, session by session; and when something will by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aimond.core import farewell
from aimond.core.accounts import Accounts
from aimond.core.change import Change, ErrorSeen, SessionAdded, SessionRemoved
from aimond.core.families import has_busy_child, sub_agents_first
from aimond.core.hidden import Servants, related
from aimond.core.journal import Journal
from aimond.core.lives import Lives
from aimond.core.review import review
from aimond.core.session import Session
from aimond.core.sessions import Key, Sessions
from aimond.core.snapshot import SessionSnapshot
from aimond.core.usage import NOTHING

_NEVER: Final = 2**63


class Reviews:
    """Compares sessions with what readers were shown. ``touched`` holds those that may look different; ``expire`` and
    ``max_visible`` as of the tracker."""

    def __init__(
        self,
        sessions: Sessions,
        touched: dict[Key, None],
        servants: Servants,
        lives: Lives,
        accounts: Accounts,
        project_of: Callable[[str], str],
        journal: Journal | None,
        expire: int,
        max_visible: int,
    ) -> None:
        self._sessions, self._touched, self._servants, self._lives = sessions, touched, servants, lives
        self._accounts, self._project_of, self._journal = accounts, project_of, journal
        self.expire, self.max_visible = expire, max_visible
        self.shown: dict[Key, SessionSnapshot] = {}
        self._due: dict[Key, int] = {}
        self._failed: list[tuple[Session, str]] = []

    def failed(self, session: Session, error_class: str) -> None:
        """A model call of it failed, which is news however it goes on."""
        self._failed.append((session, error_class))

    def changes(self, now: int) -> list[Change]:
        """What is different now, sub-agents before those who wait for them."""
        touched = [self._sessions[key] for key in self._touched if key in self._sessions]
        concerned = dict.fromkeys(each for one in touched for each in related(one, self._sessions, self._servants))
        self._touched.clear()
        changes: list[Change] = []
        for session in sub_agents_first(concerned, self._sessions):
            if not session.ended_at and self._lives.exit_of(session.pid):
                session.end(self._lives.exit_of(session.pid), "exited")
            self._accounts.review(session)
            if (session.shown and not session.hidden) or session.visible:
                changes += self._review(session, now)
        changes += self._accounts.crossed()
        if self._failed:
            changes += [ErrorSeen(session.seen, failure) for session, failure in self._failed if session.seen]
            self._failed.clear()
        if SessionAdded in map(type, changes):
            changes += self._evict(now)
        if SessionRemoved in map(type, changes):
            self._sessions.forget()
        return changes

    def _review(self, session: Session, now: int) -> list[Change]:
        busy = has_busy_child(session, self._sessions)
        changes = review(session, now, busy, self._servants.spent(session), self._project_of)
        self._keep(session)
        return changes

    def _evict(self, now: int) -> list[Change]:
        changes: list[Change] = []
        longest_silent = sorted(self._sessions.visible, key=lambda session: session.last_seen)
        for session in longest_silent[: max(0, len(longest_silent) - self.max_visible)]:
            session.end(now, "evicted")
            changes += review(session, now, False, NOTHING, self._project_of)
            self._keep(session)
        return changes

    # -- time -----------------------------------------------------------------------------------------

    def end_what_is_due(self, now: int) -> None:
        """Touch the sessions that time has changed, and end those that nobody hears of any more."""
        for key in [key for key, due in self._due.items() if due <= now]:
            session = self._sessions[key]
            self._touched[key] = None
            if session.leaves and session.leaves <= now:
                session.end(session.leaves - farewell.FLUSH, farewell.LEAVES)
            if self._expires(session) <= now:
                session.end(now, "expired")

    def deadline(self) -> int | None:
        """When time alone will change a session, µs since the epoch; None: never."""
        return min(self._due.values(), default=None)

    def _expires(self, session: Session) -> int:
        return _NEVER if session.pid in self._lives else session.last_seen + self.expire

    def _keep(self, session: Session) -> None:
        """Keep what readers are shown of it, and when it may change by itself."""
        key = session.agent, session.id
        if self._journal is not None:
            self._journal.touch(session)
        due = min(session.verdict.until or _NEVER, session.leaves or _NEVER, self._expires(session))
        self._due.pop(key, None)
        if session.visible and due < _NEVER:
            self._due[key] = due
        if session.visible and session.seen:
            self.shown[key] = session.seen
        else:
            self.shown.pop(key, None)
