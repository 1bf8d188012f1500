"""Which process a session lives in, and what follows from its coming and going."""

from __future__ import annotations

from typing import Final

from aimond.core import event as ev
from aimond.core.processes import KEPT, NONE, Guess, Processes
from aimond.core.session import Session
from aimond.core.sessions import Key, Sessions

# The time of what is known of a session by its process: whatever the CLI says is newer.
FROM_PROCESS: Final = 1


class Lives:
    """Binds sessions to processes; whichever session looks different then is put down in ``touched``."""

    def __init__(self, sessions: Sessions, touched: dict[Key, None]) -> None:
        self._sessions, self._touched = sessions, touched
        self._processes = Processes()
        self._guesses: dict[Key, Guess] = {}

    def __contains__(self, pid: int) -> bool:
        """Somebody told of this process, so that its end will be told of too."""
        return pid in self._processes

    def exit_of(self, pid: int) -> int:
        """When it exited, 0 if it lives or nobody told of it."""
        return self._processes.exited(pid)

    def bind(self, session: Session, pid: int) -> None:
        """Give a session its process; a CLI that shows one session at a time has left the older one (/clear)."""
        moved = bool(pid) and pid != session.pid and not (session.pid and self._processes.exited(pid))
        if moved:
            session.pid = pid
            self._describe(session)
        if not session.pid or not session.patience.one_per_process or (session.visible and not moved):
            return
        for other in self._sessions.values():
            if other.pid == session.pid and other is not session and other.agent == session.agent and other.visible:
                older, newer = sorted((session, other), key=_came)
                if newer.shown and not older.ended_at:
                    older.end(_came(newer), "replaced")
                    self._touch(older)

    def started(self, event: ev.ProcessStarted) -> None:
        """A process is there, or more is known of it."""
        self._processes.came(event)
        for session in self._living_in(event.pid):
            self._describe(session)
            self._touch(session)

    def exited(self, event: ev.ProcessExited) -> None:
        """A process is gone, and its sessions with it."""
        self._processes.gone(event)
        for session in self._living_in(event.pid):
            session.end(event.at, "exited")
            self._touch(session)

    def typed(self, event: ev.UserActed) -> None:
        """Somebody typed a prompt in a terminal whose sessions run elsewhere."""
        self._processes.typed(event)
        for session in self._sessions.values():
            if session.agent == event.agent and session.prompts and not session.ended_at:
                self.find_terminal(session, session.prompts[-1])

    def find_terminal(self, session: Session, prompt: int) -> None:
        """Give a session the process in which that prompt of its was typed, as far as is known: key presses of several
        terminals come in any order."""
        key = (session.agent, session.id)
        best = self._guesses.get(key, NONE) if session.pid else NONE
        if session.hidden or session.pid != best[2]:
            return
        told_at, directory = session.details.get("directory", (0, ""))
        guess = self._processes.terminal_of(session.agent, prompt, directory if told_at > FROM_PROCESS else "")
        if guess > best:
            self._guesses.pop(key, None)
            self._guesses[key] = guess
            if len(self._guesses) > KEPT:
                self._guesses.pop(next(iter(self._guesses)))
            self.bind(session, guess[2])
            self._touch(session)

    def _living_in(self, pid: int) -> list[Session]:
        return [session for session in self._sessions.values() if pid and session.pid == pid and not session.ended_at]

    def _describe(self, session: Session) -> None:
        """Let a session know what is known of its process; what the CLI itself says goes before that."""
        for name, value in self._processes.details(session.pid).items():
            session.say(name, value, FROM_PROCESS)

    def _touch(self, session: Session) -> None:
        self._touched[session.agent, session.id] = None


def _came(session: Session) -> int:
    """When it began, or was resumed."""
    return max(session.started_at, session.back_at)
