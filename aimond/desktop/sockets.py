"""Where Sway or i3 listens, and when that may be elsewhere, told by inotify(7)."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path
from typing import Final

_CREATED: Final = 0x100
_MOVED_TO: Final = 0x80
_PATTERNS: Final = ("sway-ipc.*.sock", "i3/ipc-socket.*")


def runtime() -> Path:
    """The user's runtime directory."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def candidates() -> list[str]:
    """The sockets that may be alive: those of the environment, then the newest first. (Sway 1.7 leaves its socket
    behind when it is killed, and a service may have been started before it.)"""
    told = [os.environ.get("SWAYSOCK", ""), os.environ.get("I3SOCK", "")]
    found: list[tuple[float, str]] = []
    for pattern in _PATTERNS:
        for path in runtime().glob(pattern):
            try:
                stat = path.stat()
            except OSError:
                continue
            if path.is_socket() and stat.st_uid == os.geteuid():
                found.append((-stat.st_mtime, str(path)))
    return [path for path in dict.fromkeys([*told, *(path for _, path in sorted(found))]) if path]


class Arrivals:
    """Tells when something is made in the runtime directory; used as ``with Arrivals() as arrivals``."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = -1

    def __enter__(self) -> Arrivals:
        self._file = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file >= 0:
            os.close(self._file)

    def watch(self) -> None:
        """Watch those directories that are there; watching one again changes nothing."""
        for directory in {(runtime() / pattern).parent for pattern in _PATTERNS}:
            self._libc.inotify_add_watch(self._file, os.fsencode(directory), _CREATED | _MOVED_TO)

    async def wait(self) -> None:
        """Until something was made since the last time; for ever where the kernel does not tell."""
        loop = asyncio.get_running_loop()
        made: asyncio.Future[None] = loop.create_future()
        if self._file < 0:
            await made
        loop.add_reader(self._file, _wake, made)
        try:
            await made
        finally:
            loop.remove_reader(self._file)
        os.read(self._file, 65536)
        self.watch()


def _wake(made: asyncio.Future[None]) -> None:
    if not made.done():
        made.set_result(None)
