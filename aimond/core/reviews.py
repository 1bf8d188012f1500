"""What became different by a batch of events, session by session; and when something will by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aimond.core import farewell
from aimond.core.accounts import Accounts
from aimond.core.change import Change, ErrorSeen
from aimond.core.families import has_busy_child, sub_agents_first
from aimond.core.hidden import Servants, related
from aimond.core.journal import Journal
from aimond.core.lives import Lives
from aimond.core.order import Order
from aimond.core.review import review
from aimond.core.session import Session
from aimond.core.sessions import Key, Sessions
from aimond.core.shown import Shown
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
        self.shown = Shown()
        self._due, self._heard = Order[Key](), Order[Key]()
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
            if session.ended_at or self._servants.is_gone(session):
                self._sessions.gone(session)
        if self._failed:
            changes += [ErrorSeen(session.seen, failure) for session, failure in self._failed if session.seen]
            self._failed.clear()
        changes += self._evict(now)
        self._sessions.forget(self._accounts.close)
        changes += self._accounts.crossed()
        return changes

    def _review(self, session: Session, now: int) -> list[Change]:
        busy = has_busy_child(session, self._sessions)
        changes = review(session, now, busy, self._servants.spent(session), self._project_of)
        self._keep(session)
        return changes

    def _evict(self, now: int) -> list[Change]:
        """End those that were silent for longest, where more are shown than may be."""
        changes: list[Change] = []
        while len(self.shown) > self.max_visible and (longest_silent := self._heard.first):
            session = self._sessions[longest_silent[1]]
            session.end(now, "evicted")
            changes += review(session, now, False, NOTHING, self._project_of)
            self._keep(session)
            self._sessions.gone(session)
        return changes

    # -- time -----------------------------------------------------------------------------------------

    def end_what_is_due(self, now: int) -> None:
        """Touch the sessions that time has changed, and end those that nobody hears of any more."""
        for key in self._due.until(now):
            session = self._sessions[key]
            self._touched[key] = None
            if session.leaves and session.leaves <= now:
                session.end(session.leaves - farewell.FLUSH, farewell.LEAVES)
            if self._expires(session) <= now:
                session.end(now, "expired")

    def deadline(self) -> int | None:
        """When time alone will change a session, µs since the epoch; None: never."""
        return self._due.first[0] if self._due.first else None

    def _expires(self, session: Session) -> int:
        return _NEVER if session.pid in self._lives else session.last_seen + self.expire

    def _keep(self, session: Session) -> None:
        """Keep what readers are shown of it, and when it may change by itself."""
        key = session.agent, session.id
        if self._journal is not None:
            self._journal.touch(session)
        if session.visible and session.seen:
            self.shown.show(key, session.seen)
            self._heard.put(key, session.last_seen)
            due = min(session.verdict.until or _NEVER, session.leaves or _NEVER, self._expires(session))
        else:
            self.shown.hide(key)
            self._heard.drop(key)
            due = _NEVER
        if due < _NEVER:
            self._due.put(key, due)
        else:
            self._due.drop(key)
