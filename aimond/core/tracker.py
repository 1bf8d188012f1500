"""Events in, changes out: the one place that knows all sessions. Pure: the time is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aimond.core import event as ev
from aimond.core.change import Change, ErrorSeen
from aimond.core.evidence import Reason
from aimond.core.ledger import Ledger
from aimond.core.review import review
from aimond.core.session import Session
from aimond.core.snapshot import SessionSnapshot, State, most_urgent
from aimond.core.state import Patience
from aimond.core.turn import MS, SECOND
from aimond.core.usage import Spent, total

Key = tuple[str, str]

SESSIONS_KEPT: Final = 1024
PROCESSES_KEPT: Final = 2048
# A prompt typed into a terminal shows up in the shared daemon 8 to 25 ms later (Codex 0.169.0).
TYPED: Final = 150 * MS
NO_PATIENCE: Final = Patience()


@dataclass(slots=True)
class Process:
    """What is known of a process; ``exited`` is 0 while it lives."""

    directory: str = ""
    exited: int = 0


class Tracker:
    """All sessions. ``patience`` is per agent; ``expire`` is how long a session of unknown process may be silent,
    µs."""

    def __init__(self, patience: Mapping[str, Patience], expire: int = 3600 * SECOND, visible: int = 256) -> None:
        self.patience, self.expire, self.max_visible = patience, expire, visible
        self.sessions: dict[Key, Session] = {}
        self.ledger = Ledger()
        self._processes: dict[int, Process] = {}
        self._typed: dict[str, deque[tuple[int, int]]] = {}
        self._traces: dict[tuple[str, str], tuple[int, Key]] = {}
        self._touched: dict[Key, None] = {}
        self._failed: list[tuple[Key, str]] = []

    # -- in -----------------------------------------------------------------------------------------

    def apply(self, events: Iterable[ev.Event], now: int) -> list[Change]:
        """Take in what one request said; changes are compared once, at its end."""
        for event in events:
            match event:
                case ev.ProcessStarted():
                    self._process_started(event)
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
        """An ended session is back: resumed by another process, or prompted again in the same one."""
        if event.pid and event.pid != session.pid:
            return not self._exited(event.pid)
        return isinstance(event, ev.PromptSubmitted) and event.at > session.ended_at and not self._exited(session.pid)

    def _exited(self, pid: int) -> int:
        process = self._processes.get(pid)
        return process.exited if process else 0

    def _bind(self, session: Session, pid: int) -> None:
        """Give a session its process; a CLI that shows one session at a time has left the older one (/clear)."""
        if pid and pid != session.pid and not (session.pid and self._exited(pid)):
            session.pid = pid
            process = self._processes.get(pid)
            if process:
                session.say("directory", process.directory, 1)
        if not session.pid or not session.patience.one_per_process:
            return
        for other in self.sessions.values():
            if other.pid == session.pid and other is not session and other.agent == session.agent and other.visible:
                older, newer = sorted((session, other), key=lambda s: s.started_at)
                if newer.shown and not older.ended_at:
                    older.end(newer.started_at, "replaced")
                    self._touched[older.agent, older.id] = None

    def _trace(self, key: Key, event: ev.PromptSubmitted) -> None:
        """Two sessions with one trace: the later prompt is that of a sub-agent (Codex 0.169.0)."""
        at, owner = self._traces.get((key[0], event.trace), (event.at, key))
        if owner != key:
            parent, child = (owner, key) if at <= event.at else (key, owner)
            self.sessions[child].parent = parent[1]
            self._touched[parent] = self._touched[child] = None
        if event.at <= at:
            self._traces[key[0], event.trace] = (event.at, key)
        while len(self._traces) > SESSIONS_KEPT:
            self._traces.pop(next(iter(self._traces)))

    # -- processes ----------------------------------------------------------------------------------

    def _process_started(self, event: ev.ProcessStarted) -> None:
        self._processes[event.pid] = Process(event.directory)
        while len(self._processes) > PROCESSES_KEPT:
            self._processes.pop(next(iter(self._processes)))

    def _process_exited(self, event: ev.ProcessExited) -> None:
        self._processes.setdefault(event.pid, Process()).exited = event.at
        for key, session in self.sessions.items():
            if session.pid == event.pid and not session.ended_at:
                session.end(event.at, "exited")
                self._touched[key] = None

    def _user_acted(self, event: ev.UserActed) -> None:
        typed = self._typed.setdefault(event.agent, deque(maxlen=32))
        typed.append((event.at, event.pid))
        for session in self.sessions.values():
            if session.agent == event.agent and not session.pid and session.prompts:
                self._find_terminal(session, session.prompts[-1])

    def _find_terminal(self, session: Session, prompt: int) -> None:
        """The terminal that a prompt of a shared daemon was typed in, by the time of the key press."""
        typed = self._typed.get(session.agent, ())
        near = [(abs(prompt - at), pid) for at, pid in typed if -TYPED <= prompt - at <= TYPED]
        if near and not session.hidden:
            self._bind(session, min(near)[1])
            self._touched[session.agent, session.id] = None

    # -- out ----------------------------------------------------------------------------------------

    def _review(self, now: int) -> list[Change]:
        """What is different now, session by session, sub-agents before those who wait for them."""
        keys = dict(self._touched)
        for key in self._touched:
            keys.update(self._concerned(key))
        self._touched.clear()
        order = sorted(keys, key=lambda key: (not self.sessions[key].parent, self.sessions[key].started_at))
        changes: list[Change] = []
        for key in order:
            session = self.sessions[key]
            if not session.ended_at and self._exited(session.pid):
                session.end(self._exited(session.pid), "exited")
            if (session.shown and not session.hidden) or session.visible:
                changes += review(session, now, self._busy_child(session), self._served(session))
        for key, error_class in self._failed:
            seen = self.sessions[key].seen
            if seen:
                changes.append(ErrorSeen(seen, error_class))
        self._failed.clear()
        return changes + self._evict(now)

    def _concerned(self, key: Key) -> Iterable[tuple[Key, None]]:
        """Who looks different when this one does: its parent, its children when it ends, whom a hidden one serves."""
        session = self.sessions[key]
        if session.parent and (session.agent, session.parent) in self.sessions:
            yield (session.agent, session.parent), None
        if session.ended_at:
            for child_key, child in self.sessions.items():
                if child.parent == session.id and child.agent == session.agent and not child.ended_at:
                    child.end(session.ended_at, session.end_reason)
                    yield child_key, None
        if session.hidden:
            for other_key, other in self.sessions.items():
                if other.agent == session.agent and other.visible:
                    yield other_key, None

    def _busy_child(self, session: Session) -> bool:
        return any(
            child.parent == session.id and child.visible and child.verdict.state in (State.WORKING, State.WAITING)
            for child in self.sessions.values()
            if child.agent == session.agent
        )

    def _served(self, session: Session) -> Spent:
        """What hidden threads used that worked for this session: those whose prompt was nearest to one of its own."""
        hidden = [s for s in self.sessions.values() if s.hidden and s.agent == session.agent and s.prompts]
        if not hidden:
            return Spent()
        shown = [
            s for s in self.sessions.values() if s.agent == session.agent and s.shown and not s.hidden and s.prompts
        ]
        served = [s for s in hidden if _nearest(s, shown) is session]
        return total(spent for s in served for spent in s.models.values())

    def _evict(self, now: int) -> list[Change]:
        visible = [session for session in self.sessions.values() if session.visible]
        changes: list[Change] = []
        for session in sorted(visible, key=lambda s: s.last_seen)[: max(0, len(visible) - self.max_visible)]:
            session.end(now, "evicted")
            changes += review(session, now, False, Spent())
        return changes

    # -- readers ------------------------------------------------------------------------------------

    def snapshots(self) -> list[SessionSnapshot]:
        """The visible sessions, most urgent first."""
        return most_urgent([session.seen for session in self.sessions.values() if session.visible and session.seen])

    def usage(self, session: Session) -> Mapping[str, Spent]:
        """What a session used per model, with the hidden threads that served it."""
        return _by_model(session, self.sessions.values())

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
        session.newest.acknowledged = session.verdict.state.value
        self._touched[session.agent, session.id] = None
        return self._review(now)


_NEVER: Final = 2**63


def _nearest(hidden: Session, shown: list[Session]) -> Session | None:
    at = hidden.prompts[0]
    near: Callable[[Session], tuple[int, str]] = lambda s: (min(abs(at - prompt) for prompt in s.prompts), s.id)  # noqa: E731
    return min(shown, key=near, default=None)


def _by_model(session: Session, sessions: Iterable[Session]) -> Mapping[str, Spent]:
    everyone = list(sessions)
    shown = [s for s in everyone if s.agent == session.agent and s.shown and not s.hidden and s.prompts]
    models = dict(session.models)
    for other in everyone:
        if other.hidden and other.agent == session.agent and other.prompts and _nearest(other, shown) is session:
            for model, spent in other.models.items():
                models[model] = models.get(model, Spent()) + spent
    return models
