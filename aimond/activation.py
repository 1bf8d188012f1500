"""Listening sockets that systemd hands over, as sd_listen_fds(3) tells; they outlive us, and what waits in them.

Each is known by where it listens: all sockets of one unit have the same name (systemd.socket(5)), and a port says more
than a name does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from typing import Final

FIRST: Final = 3  # SD_LISTEN_FDS_START


class Activation:
    """Sockets that were handed over, each to be taken once."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._sockets = sockets

    @classmethod
    def inherit(cls) -> Activation:
        """Those that are meant for this process. Its children will not take them for theirs."""
        pid, number = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS", "")
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
            os.environ.pop(name, None)
        if pid != str(os.getpid()) or not number.isdecimal():
            return cls([])
        inherited = range(FIRST, FIRST + int(number))
        for descriptor in inherited:
            os.set_inheritable(descriptor, False)
        return cls([socket.socket(fileno=descriptor) for descriptor in inherited])

    def port(self, number: int, hosts: Collection[str]) -> list[socket.socket]:
        """Those that listen on this TCP port at one of these addresses."""
        return self._take(
            lambda each: (
                each.family != socket.AF_UNIX and each.getsockname()[1] == number and each.getsockname()[0] in hosts
            )
        )

    def path(self, path: str) -> socket.socket | None:
        """The one that listens there."""
        return next(iter(self._take(lambda each: each.family == socket.AF_UNIX and each.getsockname() == path)), None)

    def rest(self) -> list[str]:
        """Where those listen that nobody has taken; they are closed here, and systemd keeps them."""
        left = self._take(lambda _each: True)
        names = [each.getsockname() for each in left]
        for each in left:
            each.close()
        return [name if isinstance(name, str) else f"{name[0]}:{name[1]}" for name in names]

    def _take(self, wanted: Callable[[socket.socket], bool]) -> list[socket.socket]:
        taken = [each for each in self._sockets if wanted(each)]
        self._sockets = [each for each in self._sockets if each not in taken]
        return taken
