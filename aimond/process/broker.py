"""``aimond broker``: answers for a monitor in a user namespace what the kernel refuses to tell it. systemd starts it.

It tells of processes of its own user only, and of those no more than QUESTIONS has: the monitor is who talks to
strangers, so it is not trusted here. It imports little: it lives as long as the monitor, and does next to nothing.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from aimond.process import peer, proc, program
from aimond.process.asked import ANSWER, REQUEST

LINGER: Final = 30_000  # ms without anybody who could ask; a monitor that is restarted finds it ready
MOST: Final = 8  # connections: the monitor's, the next one's, and doctor's
_FIRST: Final = 3  # SD_LISTEN_FDS_START
_CREDENTIALS: Final = struct.Struct("=iII")
_PID_MAX: Final = 1 << 22  # PID_MAX_LIMIT of linux/include/linux/threads.h
_INODE_MAX: Final = (1 << 64) - 1  # of a socket; 0 where it is not known
_MANY: Final = 1024
_VARIABLES: Final = frozenset({"TMUX", "TMUX_PANE", "WINDOWID"})

Check = Callable[[Any], bool]


def _number(limit: int) -> Check:
    return lambda value: type(value) is int and 0 < value <= limit


def _many(check: Check) -> Check:
    return lambda value: type(value) is list and len(value) <= _MANY and all(map(check, value))


def _is_inode(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _INODE_MAX


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_ours(pid: Any) -> bool:
    return _is_pid(pid) and os.stat(f"/proc/{pid}").st_uid == os.geteuid()  # noqa: PTH116


def _is_variable(name: Any) -> bool:
    return name in _VARIABLES


def _is_address(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and _is_text(value[0]) and _is_port(value[1])


_is_pid, _is_port = _number(_PID_MAX), _number(65535)
_ENDS: Final = (_is_address, _is_address)

# Who answers, and what each argument must be.
QUESTIONS: Final[dict[str, tuple[Callable[..., Any], tuple[Check, ...]]]] = {
    "sender": (peer.sender, (*_ENDS, _many(_is_pid), _many(_is_pid), _many(_is_text), _is_inode)),
    "owner": (peer.owner, _ENDS),
    "listener": (peer.listener, (_is_port,)),
    "programs": (program.programs, (_is_ours,)),
    "directory": (proc.directory, (_is_ours,)),
    "variables": (proc.variables, (_is_ours, _many(_is_variable))),
}


def answer(request: bytes) -> bytes:
    """The answer to a request, ``[number, answer]``; without an answer where there is none to be given."""
    number = None
    try:
        number, question, *arguments = json.loads(request)
        function, checks = QUESTIONS[question]
        if len(arguments) == len(checks) and all(check(it) for check, it in zip(checks, arguments, strict=True)):
            told = json.dumps((number, function(*arguments))).encode()
            if len(told) <= ANSWER:
                return told
    except Exception:  # noqa: S110  (whatever a monitor that was taken over can think of; a process may be gone, too)
        pass
    return json.dumps([number if type(number) is int else None]).encode()


def serve(listener: socket.socket, linger: int = LINGER) -> None:
    """Answer whoever connects, until nobody has been connected for ``linger`` ms."""
    listener.setblocking(False)
    ready = select.poll()
    ready.register(listener, select.POLLIN)
    monitors: dict[int, socket.socket] = {}
    while events := ready.poll(None if monitors else linger):
        for descriptor, _ in events:
            if descriptor in monitors:
                if not _served(monitors[descriptor]):
                    ready.unregister(descriptor)
                    monitors.pop(descriptor).close()
            elif monitor := _admitted(listener, len(monitors)):
                monitors[monitor.fileno()] = monitor
                ready.register(monitor, select.POLLIN)


def _admitted(listener: socket.socket, there_are: int) -> socket.socket | None:
    try:
        monitor, _ = listener.accept()
    except OSError:
        return None
    credentials = monitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    if there_are < MOST and _CREDENTIALS.unpack(credentials)[1] == os.geteuid():
        monitor.setblocking(False)
        return monitor
    monitor.close()
    return None


def _served(monitor: socket.socket) -> bool:
    """Whether it is still there, and takes what it asked for."""
    try:
        request = monitor.recv(REQUEST)
        return bool(request) and monitor.send(answer(request)) > 0
    except OSError:
        return False


def main() -> int:
    """Serve on the socket that systemd hands over."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        print("aimond: systemd starts the broker, as aimond-broker.service", file=sys.stderr)
        return 2
    with socket.socket(fileno=_FIRST) as listener:
        serve(listener)
    return 0
