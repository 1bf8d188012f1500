"""The socket that hook programs find, in a place where nobody else can put one."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

BACKLOG: Final = 128


class AlreadyListening(Exception):  # noqa: N818  (a fact about the desktop, not a mistake)
    """Another monitor listens at this path."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another monitor listens for hooks at {path}")
        self.path = path


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket that listens there, for this user only; removed at the end, if it is still the one that is there.

    Its directory is made, and made this user's alone. A socket that nobody listens at any more is replaced. Raises
    AlreadyListening, or OSError.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        with _held(path.parent):
            _make_way(path)
            listener.bind(str(path))
            path.chmod(0o600)  # in time: nobody can connect before listen
            listener.listen(BACKLOG)
            ours = path.lstat()
        try:
            yield listener
        finally:
            with suppress(OSError), _held(path.parent):
                if os.path.samestat(ours, path.lstat()):
                    path.unlink()


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Keep other monitors from replacing a socket in that directory meanwhile."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "belongs to another user", str(directory))
        os.fchmod(descriptor, 0o700)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_way(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "is no socket", str(path))
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # somebody listens, and has much to do
            pass
    raise AlreadyListening(path)
