"""The process at the other end of a TCP connection, if it is our user's and on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from aimond.process import proc, program, sockets
from aimond.process.asked import asked
from aimond.process.sockets import Address

# A CLI has about 50. A process with more is not looked at to the end.
_FILES: Final = 1024
_PROCESSES: Final = 8192


def pid_of(
    local: Address, remote: Address, likely: Iterable[int] = (), strangers: Iterable[int] = (), *, inode: int = 0
) -> int:
    """The pid of our user's process at ``remote``, 0 if unknown or one of ``strangers``, whom nobody cares for. They
    are looked at first, then ``likely``, all others last. ``inode``: what ``owned`` has told, where it was asked.

    Of several that share the socket by inheritance it is the eldest: who made the connection speaks for it, children
    merely got a copy with the rest.
    """
    if not inode:
        found = sockets.find(remote, local) if sockets.is_local(local, remote) else None
        if found is None or found.uid != os.geteuid():
            return 0
        inode = found.inode
    target = f"socket:[{inode}]"
    if any(_has(pid, target) for pid in strangers):
        return 0
    return holder(inode, chain(likely, everyone()))


def owned(local: Address, remote: Address) -> int | None:
    """The inode of our user's socket at ``remote``, 0 where it is unknown or root's; None where it is foreign: of this
    machine, and neither ours nor root's.

    One that nobody has any more is foreign: who sends and leaves at once is known by nothing. Where the kernel does not
    tell (another machine, another network namespace, a sandbox without sock_diag and /proc/net) it is not."""
    if not sockets.is_local(local, remote):
        return 0
    found = sockets.find(remote, local)
    if found is None:
        return 0 if sockets.find(local, remote) is None else None
    if found.uid == os.geteuid():
        return found.inode
    # In a user namespace all others have one uid, root too.
    return 0 if found.uid == 0 or owner(remote, local) == 0 else None


@asked((-1, ()))
def sender(
    local: Address, remote: Address, known: Sequence[int], strangers: Sequence[int], programs: Sequence[str], inode: int
) -> tuple[int, tuple[str, ...]]:
    """``pid_of``, and the words of its program, for whom ``known`` processes are likely and those that run one of these
    ``programs``; the pid is -1 if nobody can tell at present."""
    pid = pid_of(local, remote, chain(known, program.running(frozenset(programs))), strangers, inode=inode)
    return pid, program.programs(pid) if pid else ()


@asked(-1)
def owner(local: Address, remote: Address) -> int:
    """The user whose socket is at ``local``, connected to ``remote``; -1 if that is not known."""
    found = sockets.find(local, remote)
    return found.uid if found else -1


@asked(0)
def listener(port: int) -> int:
    """The process that listens at a TCP port, 0 if it is nobody's that we may see."""
    return next((pid for inode in sockets.listening(port) if (pid := holder(inode, everyone()))), 0)


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
