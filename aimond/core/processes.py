"""What is known of processes: who lives, where they work, and which terminal a prompt was typed in."""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

from aimond.core import event as ev
from aimond.core.turn import MS

KEPT: Final = 2048
# A prompt typed into a terminal shows up in the shared daemon 8 to 25 ms later; where hooks run, after them:
# 40 to 150 ms, more on a busy machine (Codex 0.169.0).
TYPED: Final = 750 * MS

# How well a key press explains a prompt: whether its process works where the session does, how long it was before the
# prompt (negative), and the process.
Guess = tuple[bool, int, int]
NONE: Final[Guess] = (False, -TYPED - 1, 0)


class Process(Struct):
    """``exited`` is 0 while it lives."""

    directory: str = ""
    terminal: str = ""
    exited: int = 0


class Processes:
    """All processes that somebody told of, the newest 2,048 of them."""

    def __init__(self) -> None:
        self._known: dict[int, Process] = {}
        self._typed: dict[str, deque[tuple[int, int]]] = {}

    def __contains__(self, pid: int) -> bool:
        return pid in self._known

    def came(self, event: ev.ProcessStarted) -> None:
        if not event.pid:
            return
        self._known.pop(event.pid, None)
        self._known[event.pid] = Process(event.directory, event.terminal)
        while len(self._known) > KEPT:
            gone = (pid for pid, process in self._known.items() if process.exited)
            self._known.pop(next(gone, next(iter(self._known))))

    def gone(self, event: ev.ProcessExited) -> None:
        if event.pid:
            self._known.setdefault(event.pid, Process()).exited = event.at

    def exited(self, pid: int) -> int:
        """When it exited, 0 if it lives or nobody told of it."""
        process = self._known.get(pid)
        return process.exited if process else 0

    def details(self, pid: int) -> dict[str, str]:
        """What a session learns of its process: where it works and on which terminal it is shown, "" if unknown."""
        process = self._known.get(pid, Process())
        return {"directory": process.directory, "terminal": process.terminal}

    def typed(self, event: ev.UserActed) -> None:
        self._typed.setdefault(event.agent, deque(maxlen=32)).append((event.at, event.pid))

    def terminal_of(self, agent: str, prompt: int, directory: str) -> Guess:
        """Where that prompt was typed: in a process that works in that directory, by the last key press before it. Of
        two guesses the greater is the better."""
        near = (
            (bool(directory) and self.details(pid)["directory"] == directory, at - prompt, pid)
            for at, pid in self._typed.get(agent, ())
            if 0 <= prompt - at <= TYPED and not self.exited(pid)
        )
        return max(near, default=NONE)
