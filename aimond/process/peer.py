"""The process at the other end of a TCP connection, if it is our user's and on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from aimond.process import proc, sockets
from aimond.process.sockets import Address

# A CLI has about 50. A process with more is not looked at to the end.
_FILES: Final = 1024
_PROCESSES: Final = 8192


def pid_of(local: Address, remote: Address, likely: Iterable[int] = (), strangers: Iterable[int] = ()) -> int:
    """The pid of our user's process at ``remote``, 0 if unknown or one of ``strangers``, whom nobody cares for. They
    are looked at first, then ``likely``, all others last.

    Of several that share the socket by inheritance it is the eldest: who made the connection speaks for it, children
    merely got a copy with the rest.
    """
    if not sockets.is_local(local, remote):
        return 0
    found = sockets.find(remote, local)
    if found is None or found.uid != os.geteuid():
        return 0
    target = f"socket:[{found.inode}]"
    if any(_has(pid, target) for pid in strangers):
        return 0
    return holder(found.inode, chain(likely, everyone()))


def is_foreign(local: Address, remote: Address) -> bool:
    """Whether the socket at ``remote`` is of this machine, and neither our user's nor root's.

    One that nobody has any more counts: who sends and leaves at once is known by nothing. Where the kernel does not
    tell (another machine, another network namespace, a sandbox without sock_diag and /proc/net) it is not foreign."""
    if not sockets.is_local(local, remote):
        return False
    found = sockets.find(remote, local)
    if found is None:
        return sockets.find(local, remote) is not None
    return found.uid not in (os.geteuid(), 0)


def holder(inode: int, among: Iterable[int]) -> int:
    """The first of these processes that has the socket, or its eldest ancestor that has it too; 0 if none has."""
    target = f"socket:[{inode}]"
    asked: set[int] = set()
    for pid in among:
        if pid in asked:
            continue
        asked.add(pid)
        if _has(pid, target):
            return _eldest(pid, target)
    return 0


def everyone() -> Iterator[int]:
    """All processes, nearly the eldest first; looked for when the first one is asked for."""
    yield from proc.pids()[:_PROCESSES]


def _eldest(pid: int, target: str) -> int:
    for ancestor in proc.ancestors(pid):
        if not _has(ancestor, target):
            break
        pid = ancestor
    return pid


def _has(pid: int, target: str) -> bool:
    """Whether one of its file descriptors is that socket."""
    try:
        directory = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # gone, or somebody else's
        return False
    try:
        files = os.listdir(directory)[-_FILES:]  # noqa: PTH208
        return any(_is(name, directory, target) for name in reversed(files))  # the newest is mostly the last
    except OSError:
        return False
    finally:
        os.close(directory)


def _is(name: str, directory: int, target: str) -> bool:
    try:
        return os.readlink(name, dir_fd=directory) == target
    except OSError:  # closed meanwhile
        return False
