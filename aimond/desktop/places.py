"""Which window each session is in, kept as windows and processes come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from aimond.core.change import Change, SessionChange, SessionRemoved, StateChanged
from aimond.core.snapshot import SessionSnapshot, State
from aimond.desktop import titles
from aimond.desktop.match import Certainty, bonds
from aimond.desktop.search import Found, find
from aimond.desktop.windows import Processes, Windows

Key = tuple[str, str]

# A terminal may show itself before it has attached to tmux, which nothing tells: when to look again, in seconds.
AGAIN: Final = (0.5, 3.0)

CAN_BE_SEEN: Final = (State.COMPLETED, State.FAILED, State.QUIET)
# What a sub-agent has finished is for its parent to use.
_OF_SUB_AGENTS: Final = (State.WAITING, State.FAILED)


def needs_user(session: SessionSnapshot) -> bool:
    """Whether its user is to go there."""
    return session.state in (_OF_SUB_AGENTS if session.parent else (*_OF_SUB_AGENTS, *CAN_BE_SEEN))


class Places:
    """``due`` is set when there is something to do for ``refresh``."""

    def __init__(self, windows: Windows, processes: Processes) -> None:
        self._windows, self._processes = windows, processes
        self.due = asyncio.Event()
        self._known: dict[Key, tuple[int, str]] = {}
        self._found: dict[Key, Found] = {}
        self._stale: dict[Key, None] = {}
        self._bound: dict[int, int] = {}
        self._met: frozenset[int] = frozenset()
        self._again: list[asyncio.TimerHandle] = []

    def note(self, change: Change) -> None:
        """A session changed: another process or terminal is another place."""
        if not isinstance(change, SessionChange):
            return
        session = change.session
        key, known = (session.agent, session.id), (session.pid, session.terminal)
        if isinstance(change, SessionRemoved):
            self._known.pop(key, None)
            if self._found.pop(key, None):
                self.look_at()
        elif self._known.get(key) != known:
            self._known[key] = known
            if session.pid or key in self._found:  # one of no process is in no window
                self.look_at(key)
        elif isinstance(change, StateChanged):
            if needs_user(session) and _is_tmux(session.terminal):
                self.look_at(key)
            elif key in self._found:  # the state of one that is in no window matters to none
                self.look_at()

    def windows_changed(self) -> None:
        """There are other windows now: what can be learnt of a new one is learnt at once."""
        known = self._windows.known
        bonds(known.keys() - self._met, known, self._processes.children, self._bound)
        self._met = frozenset(known)
        self.look_at(*self._known)
        for timer in self._again:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._again = [loop.call_later(delay, self._look_for_clients) for delay in AGAIN if self._detached()]

    def look_at(self, *keys: Key) -> None:
        """Find these anew; and in any case see what follows."""
        self._stale.update(dict.fromkeys(keys))
        self.due.set()

    async def refresh(self, sessions: list[SessionSnapshot]) -> Iterator[tuple[Key, bool]]:
        """Find what is due: whose window has become known, or unknown."""
        stale, self._stale = self._stale, {}
        changed = []
        for session in sessions:
            key = session.agent, session.id
            if key not in stale:
                continue
            found = await self.find(session)
            if key not in self._known:  # removed meanwhile
                continue
            self._found.pop(key, None)
            if found:
                self._found[key] = found
            can = found is not None and found.match.certainty > Certainty.GUESS
            if can != session.can_focus:
                changed.append((key, can))
        return iter(changed)

    async def find(self, session: SessionSnapshot) -> Found | None:
        """The window of a session, as it is now."""
        if not session.pid or not self._windows.known:
            return None
        words = (session.project, session.directory)
        return await find(session.pid, self._windows.known, self._processes, self._bound, words)

    async def find_by_asking(self, session: SessionSnapshot, found: Found) -> Found | None:
        """The same, with the terminal asked which of its windows it is."""
        window = await titles.ask(self._windows, found.match.tty) if found.match.tty else 0
        if not window:
            return found
        self._bound[found.match.child] = window
        return await self.find(session)

    def window(self, session: SessionSnapshot) -> int:
        """The window it is likely in, 0 if none is known."""
        found = self._found.get((session.agent, session.id))
        return found.match.window if found and found.match.certainty > Certainty.GUESS else 0

    def is_focused(self, session: SessionSnapshot) -> bool:
        """Whether its window has the focus, surely, and shows nothing else; which pane of tmux is not asked."""
        return self._has_focus(self._found.get((session.agent, session.id)))

    async def is_shown(self, session: SessionSnapshot) -> bool:
        """Whether its window has the focus and shows it, its tmux pane too."""
        found = self._found.get((session.agent, session.id))
        if not self._has_focus(found):
            return False
        if found and found.panes:
            found = await self.find(session)
        return found is not None and self._has_focus(found) and found.shows

    def _has_focus(self, found: Found | None) -> bool:
        if found is None or found.match.window != self._windows.focused:
            return False
        return found.match.certainty is Certainty.SURE and found.match.alone

    def _detached(self) -> list[Key]:
        """Sessions in tmux that have no window."""
        return [key for key, (_, terminal) in self._known.items() if _is_tmux(terminal) and key not in self._found]

    def _look_for_clients(self) -> None:
        self.look_at(*self._detached())


def _is_tmux(terminal: str) -> bool:
    return terminal.startswith("tmux:")
