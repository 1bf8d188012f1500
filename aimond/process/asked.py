"""What the kernel does not tell of other processes in a user namespace, asked of a process outside: see broker.py.

There, ptrace(2) access ends at the namespace, and with it /proc/PID/exe, cwd, environ and fd. ``asked`` marks the
functions that need it. Their callers cannot tell who has looked; an answer may be the one for "unknown".
"""

from __future__ import annotations

import functools
import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

REQUEST: Final = 1 << 16  # bytes of a message
ANSWER: Final = 1 << 16

_PATIENCE: Final = 0.2  # seconds: the loop stands still meanwhile
_START: Final = 3.0  # seconds: systemd starts who answers, and nobody is served yet


class Unanswered(Exception):  # noqa: N818  (others look for themselves, and find nothing either)
    """Nobody answers, or not in time."""


class Line:
    """The connection to the broker; made when it is needed, and made anew when it broke."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._number = 0
        self._is_owed = False

    def ask(self, question: str, *arguments: Any, within: float = _PATIENCE) -> Any:
        """Its answer. Raises Unanswered: at once, as long as the answer to an earlier question is late."""
        until = time.monotonic() + within
        for _ in range(2):  # who was killed is started again
            try:
                return self._exchange(question, arguments, until)
            except (BlockingIOError, TimeoutError):
                if self._is_owed:
                    break  # it has until the next question
                self.close()
            except (OSError, ValueError, LookupError, TypeError):
                self.close()
        raise Unanswered

    def open(self) -> None:
        """Connect, so that systemd starts it while there is something else to do."""
        try:
            self._connected()
        except OSError:
            self.close()

    def await_start(self) -> None:
        """Until it answers, or is not worth waiting for any longer."""
        with suppress(Unanswered):
            self.ask("directory", os.getpid(), within=_START)

    def close(self) -> None:
        """Hang up."""
        if self._socket:
            self._socket.close()
        self._socket, self._is_owed = None, False

    def _exchange(self, question: str, arguments: Any, until: float) -> Any:
        line = self._connected()
        if self._is_owed:
            line.settimeout(0)
            self._heard(line)
        self._number += 1
        line.settimeout(_PATIENCE)
        line.send(json.dumps((self._number, question, *arguments)).encode())
        self._is_owed = True
        line.settimeout(max(until - time.monotonic(), 0.001))
        answer = self._heard(line)
        if not answer:
            raise Unanswered
        return answer[0]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(self._path)
        return self._socket

    def _heard(self, line: socket.socket) -> list[Any]:
        """The answer to the question of now."""
        message = line.recv(ANSWER)
        heard: list[Any] = json.loads(message or b"[0]")
        if heard[0] != self._number:
            raise ConnectionResetError
        self._is_owed = False
        return heard[1:]


def line() -> Line | None:
    """The one of this process; None where it looks for itself."""
    return _line_to(os.environ.get("AIMOND_BROKER", ""))


@functools.lru_cache(maxsize=1)
def _line_to(path: str) -> Line | None:
    return Line(path) if path else None


def asked(unknown: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a function that the broker answers where there is one; ``unknown`` is said where that does not. Arguments,
    by position, and answers are what JSON has: tuples arrive as lists."""

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def answered(*arguments: P.args, **named: P.kwargs) -> R:
            broker = line()
            if broker is None:
                return function(*arguments, **named)
            try:
                answer: R = broker.ask(function.__name__, *arguments)
            except Unanswered:
                answer = unknown
            return answer

        return answered

    return mark
