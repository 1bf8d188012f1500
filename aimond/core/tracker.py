"""Events in, changes out: the one place that knows all sessions. Pure: the time is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aimond.core import event as ev
from aimond.core.change import Change, ErrorSeen, SessionRemoved
from aimond.core.evidence import Reason
from aimond.core.families import Traces, ancestors, children, has_busy_child
from aimond.core.hidden import served_by
from aimond.core.ledger import Ledger
from aimond.core.processes import Processes
from aimond.core.review import review
from aimond.core.session import Session
from aimond.core.snapshot import SessionSnapshot, most_urgent
from aimond.core.state import Patience
from aimond.core.turn import SECOND
from aimond.core.usage import NOTHING, Spent, total

Key = tuple[str, str]

SESSIONS_KEPT: Final = 1024
TOMBSTONES: Final = 128
# Ends that nobody saw: a word from such a session shows that there was none.
PRESUMED: Final = ("expired", "evicted")
NO_PATIENCE: Final = Patience()
_NEVER: Final = 2**63


class Tracker:
    """All sessions. ``patience`` is per agent; ``expire`` is how long a session of unknown process may be silent,
    µs."""

    def __init__(self, patience: Mapping[str, Patience], expire: int = 3600 * SECOND, visible: int = 256) -> None:
        self.patience, self.expire, self.max_visible = patience, expire, visible
        self.sessions: dict[Key, Session] = {}
        self.ledger = Ledger()
        self._processes = Processes()
        self._traces = Traces()
        self._touched: dict[Key, None] = {}
        self._failed: list[tuple[Key, str]] = []

    # -- in -----------------------------------------------------------------------------------------

    def apply(self, events: Iterable[ev.Event], now: int) -> list[Change]:
        """Take in what one request said; changes are compared once, at its end."""
        for event in events:
            match event:
                case ev.ProcessStarted():
                    self._processes.came(event)
                case ev.ProcessExited():
                    self._process_exited(event)
                case ev.UserActed():
                    self._user_acted(event)
                case _:
                    self._session_event(event, now)
        return self._review(now)

    def tick(self, now: int) -> list[Change]:
        """Let time pass: silence is a fact too."""
        for key, session in self.sessions.items():
            if session.visible and self._deadline(session) <= now:
                self._touched[key] = None
                if self._expires(session) <= now:
                    session.end(now, "expired")
        return self._review(now)

    def deadline(self) -> int | None:
        """When ``tick`` has something to do, µs since the epoch; None: never, unless an event comes."""
        times = [self._deadline(session) for session in self.sessions.values() if session.visible]
        return min((time for time in times if time < _NEVER), default=None)

    def _deadline(self, session: Session) -> int:
        return min(session.verdict.until or _NEVER, self._expires(session))

    def _expires(self, session: Session) -> int:
        return _NEVER if session.pid in self._processes else session.last_seen + self.expire

    # -- events -------------------------------------------------------------------------------------

    def _session_event(self, event: ev.Event, now: int) -> None:
        key = (event.agent, event.session)
        session = self.sessions.get(key)
        if session is None:
            session = self._new_session(key)
        if not session.add(event, now):
            return
        self._touched[key] = None
        if session.ended_at and self._revives(session, event):
            session.revive()
        self._bind(session, event.pid)
        match event:
            case ev.PromptSubmitted():
                if event.trace:
                    self._trace(key, event)
                if not session.pid:
                    self._find_terminal(session, event.at)
            case ev.ModelCallFinished() if event.usage is not None:
                self.ledger.add(event.at, event.spent)
            case ev.ModelCallFailed() if not event.aborted:
                self._failed.append((key, event.error_class))
            case ev.SessionEnded() if event.at >= max(session.prompts, default=0):
                session.end(event.at, event.reason)
            case _:
                pass

    def _new_session(self, key: Key) -> Session:
        if len(self.sessions) >= SESSIONS_KEPT:
            oldest = min(self.sessions, key=lambda k: (self.sessions[k].visible, self.sessions[k].last_seen))
            del self.sessions[oldest]
        session = self.sessions[key] = Session(*key, self.patience.get(key[0], NO_PATIENCE))
        return session

    def _revives(self, session: Session, event: ev.Event) -> bool:
        """An ended session is back: prompted again, resumed by another process, or only thought to be gone."""
        if event.at <= session.ended_at or self._processes.exited(event.pid or session.pid):
            return False
        if session.end_reason in PRESUMED:
            return not isinstance(event, ev.SessionDetail) or event.shows
        other_process = bool(session.pid and event.pid and event.pid != session.pid)
        return other_process or isinstance(event, ev.PromptSubmitted)

    def _bind(self, session: Session, pid: int) -> None:
        """Give a session its process; a CLI that shows one session at a time has left the older one (/clear)."""
        if pid and pid != session.pid and not (session.pid and self._processes.exited(pid)):
            session.pid = pid
            session.say("directory", self._processes.directory(pid), 1)
        if not session.pid or not session.patience.one_per_process:
            return
        for other in self.sessions.values():
            if other.pid == session.pid and other is not session and other.agent == session.agent and other.visible:
                older, newer = sorted((session, other), key=lambda s: s.started_at)
                if newer.shown and not older.ended_at:
                    older.end(newer.started_at, "replaced")
                    self._touched[older.agent, older.id] = None

    def _trace(self, key: Key, event: ev.PromptSubmitted) -> None:
        for member, parent in self._traces.join(event.trace, key, event.at).items():
            if member in self.sessions:
                self.sessions[member].traced_parent = parent
                self._touched[member] = None

    # -- processes ----------------------------------------------------------------------------------

    def _process_exited(self, event: ev.ProcessExited) -> None:
        self._processes.gone(event)
        for key, session in self.sessions.items():
            if event.pid and session.pid == event.pid and not session.ended_at:
                session.end(event.at, "exited")
                self._touched[key] = None

    def _user_acted(self, event: ev.UserActed) -> None:
        self._processes.typed(event)
        for session in self.sessions.values():
            if session.agent == event.agent and not session.pid and session.prompts:
                self._find_terminal(session, session.prompts[-1])

    def _find_terminal(self, session: Session, prompt: int) -> None:
        pid = self._processes.terminal_of(session.agent, prompt)
        if pid and not session.hidden:
            self._bind(session, pid)
            self._touched[session.agent, session.id] = None

    # -- out ----------------------------------------------------------------------------------------

    def _review(self, now: int) -> list[Change]:
        """What is different now, session by session, sub-agents before those who wait for them."""
        concerned = {
            (session.agent, session.id): session
            for key in self._touched
            if key in self.sessions
            for session in self._concerned(key)
        }
        self._touched.clear()
        changes: list[Change] = []
        for session in sorted(concerned.values(), key=self._generation):
            if not session.ended_at and self._processes.exited(session.pid):
                session.end(self._processes.exited(session.pid), "exited")
            if (session.shown and not session.hidden) or session.visible:
                changes += review(session, now, has_busy_child(session, self.sessions), self._served(session))
        for key, error_class in self._failed:
            failed = self.sessions.get(key)
            if failed and failed.seen:
                changes.append(ErrorSeen(failed.seen, error_class))
        self._failed.clear()
        changes += self._evict(now)
        if any(isinstance(change, SessionRemoved) for change in changes):
            self._forget()
        return changes

    def _generation(self, session: Session) -> tuple[int, int]:
        """Sub-agents before those who wait for them."""
        return -len(list(ancestors(session, self.sessions))), session.started_at

    def _forget(self) -> None:
        """Keep the newest of those that are gone, for what still comes of them."""
        gone = [key for key, session in self.sessions.items() if session.ended_at and not session.visible]
        for key in sorted(gone, key=lambda key: self.sessions[key].ended_at)[:-TOMBSTONES]:
            del self.sessions[key]

    def _concerned(self, key: Key) -> Iterable[Session]:
        """Who looks different when this one does: who waits for it, its sub-agents when it ends, whom it serves."""
        session = self.sessions[key]
        yield session
        yield from ancestors(session, self.sessions)
        gone = [session] if session.ended_at else []
        while gone:
            parent = gone.pop()
            for child in children(parent, self.sessions):
                if not child.ended_at:
                    child.end(parent.ended_at, parent.end_reason)
                    gone.append(child)
                    yield child
        if session.hidden:
            yield from (other for other in self.sessions.values() if other.agent == session.agent and other.visible)

    def _served(self, session: Session) -> Spent:
        served = served_by(session, self.sessions.values())
        return total(spent for other in served for spent in other.models.values())

    def _evict(self, now: int) -> list[Change]:
        visible = [session for session in self.sessions.values() if session.visible]
        changes: list[Change] = []
        for session in sorted(visible, key=lambda s: s.last_seen)[: max(0, len(visible) - self.max_visible)]:
            session.end(now, "evicted")
            changes += review(session, now, False, NOTHING)
        return changes

    # -- readers ------------------------------------------------------------------------------------

    def snapshots(self) -> list[SessionSnapshot]:
        """The visible sessions, most urgent first."""
        return most_urgent([session.seen for session in self.sessions.values() if session.visible and session.seen])

    def usage(self, session: Session) -> Mapping[str, Spent]:
        """What a session used per model, with the hidden threads that served it."""
        models = dict(session.models)
        for other in served_by(session, self.sessions.values()):
            for model, spent in other.models.items():
                models[model] = models.get(model, NOTHING) + spent
        return models

    def find(self, wanted: str) -> Session | None:
        """The visible session of that id; ``agent:id`` tells two of the same id apart."""
        agent, _, bare = wanted.partition(":")
        exact = self.sessions.get((agent, bare))
        if exact and exact.visible:
            return exact
        return next((s for s in self.sessions.values() if s.id == wanted and s.visible), None)

    def explain(self, wanted: str) -> list[Reason] | None:
        """Why a session is in its state, newest first; None if there is no such session."""
        session = self.find(wanted)
        return list(reversed(session.reasons)) if session else None

    def acknowledge(self, session: Session, now: int) -> list[Change]:
        """The user has seen it: completed, failed and quiet become idle."""
        session.newest.acknowledged = session.verdict.state
        self._touched[session.agent, session.id] = None
        return self._review(now)
