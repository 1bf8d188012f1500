"""Exits of processes, told by the kernel: a pidfd becomes readable when its process ends."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
from collections.abc import Callable
from typing import Final

from aimond.process import proc

# Each takes a file descriptor, of which a process usually has 1,024: connections need some too.
WATCHED: Final = 512

# Of a kernel before 5.3, or of a sandbox that does not know the call.
_IMPOSSIBLE: Final = frozenset({errno.ENOSYS, errno.EPERM})
_PIDFD_OPEN: Final = 434  # on every architecture


def _by_number(pid: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    file = int(libc.syscall(_PIDFD_OPEN, pid, 0))
    if file < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    return file


# uv's builds of Python are made for old kernels and lack it (python-build-standalone, issue 193).
_pidfd_open: Callable[[int], int] = getattr(os, "pidfd_open", _by_number)


class Exits:
    """Calls ``gone(pid, start)`` once for each watched process, when it has exited, in the loop that watches it."""

    def __init__(self, gone: Callable[[int, int], None], most: int = WATCHED) -> None:
        self._gone = gone
        self._most = most
        self._files: dict[tuple[int, int], int] = {}
        self._possible = True

    def __len__(self) -> int:
        return len(self._files)

    def watch(self, pid: int, start: int) -> bool:
        """Whether the exit of that process will be told: not if it is gone, another has its pid, or no file
        descriptor is to be had. ``proc.is_alive`` tells which."""
        who = (pid, start)
        if who in self._files:
            return True
        file = self._open(pid) if self._possible and len(self._files) < self._most else -1
        if file < 0:
            return False
        # Only now: the pidfd holds on to its process, so whoever has this start has this pidfd.
        if not proc.is_alive(pid, start) or not self._listen(file, who):
            os.close(file)
            return False
        self._files[who] = file
        return True

    def forget(self, pid: int, start: int) -> None:
        """Tells of that process no more."""
        file = self._files.pop((pid, start), -1)
        if file >= 0:
            asyncio.get_running_loop().remove_reader(file)
            os.close(file)

    def close(self) -> None:
        """Forgets all of them."""
        for who in list(self._files):
            self.forget(*who)

    def _open(self, pid: int) -> int:
        try:
            return _pidfd_open(pid)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno in _IMPOSSIBLE:
                self._possible = False
            return -1

    def _listen(self, file: int, who: tuple[int, int]) -> bool:
        try:
            asyncio.get_running_loop().add_reader(file, self._exited, who)
        except OSError:  # ENOSPC: the user's epoll watches are used up
            return False
        return True

    def _exited(self, who: tuple[int, int]) -> None:
        if who in self._files:
            self.forget(*who)
            self._gone(*who)
