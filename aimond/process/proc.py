"""Facts of one process, from /proc. A process may vanish at any moment, or be somebody else's: then less is known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from aimond.process.asked import asked

_GONE: Final = frozenset({"Z", "X"})  # nobody has waited for it yet, but it does nothing any more
_DELETED: Final = " (deleted)"
_ANCESTORS: Final = 32
_ENVIRONMENT: Final = 4 << 20

# Major numbers of ttys (Documentation/admin-guide/devices.txt); 137 to 143 are older kernels' pts/256 and above.
_CONSOLE: Final = 4
_SERIAL: Final = 64
_PTS: Final = range(136, 144)


class Process(Struct, frozen=True, kw_only=True):
    """``start`` is in clock ticks since boot: with the pid, it names one process and no later one. ``tty`` is the
    terminal that controls it, ``cwd`` its working directory; both are "" when it has none, or none that we may see."""

    pid: int
    start: int
    parent: int
    uid: int
    comm: str
    tty: str
    cwd: str


def read(pid: int) -> Process | None:
    """What is known of it, None when it is gone."""
    fields = _stat(pid)
    if not fields:
        return None
    try:
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116  (a Path costs more than the call)
    except OSError:
        return None
    comm, _, parent, tty, start = fields
    return Process(
        pid=pid, start=int(start), parent=int(parent), uid=uid, comm=comm, tty=tty_name(int(tty)), cwd=directory(pid)
    )


def called(pid: int) -> str:
    """For people: ``python3 (pid 123)``; "" when it is gone."""
    fields = _stat(pid)
    return f"{''.join(char if char.isprintable() else '?' for char in fields[0])} (pid {pid})" if fields else ""


def started(pid: int) -> int:
    """When it started, in clock ticks since boot; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[4]) if fields else 0


def is_alive(pid: int, start: int) -> bool:
    """Whether the process of that pid and start still runs: neither gone, nor followed by another of its pid."""
    return start > 0 and started(pid) == start


def parent(pid: int) -> int:
    """The pid of its parent; 0 when it has none, or is gone."""
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def ancestors(pid: int) -> Iterator[int]:
    """Its parent, its parent's parent and so on up to pid 1, 32 at most."""
    for _ in range(_ANCESTORS):
        pid = parent(pid)
        if not pid:
            return
        yield pid


def lineage(pid: int) -> Iterator[tuple[int, str]]:
    """Itself and its ancestors up to pid 1, 32 at most: the pid and the terminal of each, "" for none."""
    for _ in range(_ANCESTORS):
        fields = _stat(pid)
        if not fields:
            return
        yield pid, tty_name(int(fields[3]))
        pid = int(fields[2])


def children(pid: int) -> list[int]:
    """The processes that it has started and that still are its children, by pid."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208  (as above)
    except OSError:
        return []
    told = (content(pid, f"task/{thread}/children", 65536) for thread in threads)
    return sorted(int(child) for text in told for child in text.split())


def environment(pid: int, *names: str) -> list[str]:
    """The values of these variables when it was started, "" for what it has not."""
    found = variables(pid, names)
    return [found.get(name, "") for name in names]


@asked({})
def variables(pid: int, names: Sequence[str]) -> dict[str, str]:
    """Those of these variables that it was started with."""
    wanted = {name.encode(): name for name in names}
    pairs = (entry.partition(b"=") for entry in content(pid, "environ", _ENVIRONMENT).split(b"\0"))
    return {wanted[name]: os.fsdecode(text) for name, _, text in pairs if name in wanted}


@asked("")
def directory(pid: int) -> str:
    """Its working directory, "" if there is none to be seen; where that was deleted, what it was called."""
    path = link(pid, "cwd")
    # (Path.exists raises for a name that is too long, or in a directory that we may not search.)
    return path.removesuffix(_DELETED) if path.endswith(_DELETED) and not os.path.exists(path) else path  # noqa: PTH110


def pids() -> list[int]:
    """Every process of this machine, by pid: nearly the eldest first."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208  (300 of them)


def content(pid: int, name: str, limit: int) -> bytes:
    """The start of a file of /proc/PID, b"" when there is none to be read."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    chunks: list[bytes] = []
    # A process may exit between opening and reading (ESRCH); what is longer than a page comes in pieces.
    with suppress(OSError):
        while limit > 0 and (chunk := os.read(file, limit)):
            chunks.append(chunk)
            limit -= len(chunk)
    os.close(file)
    return b"".join(chunks)


def link(pid: int, name: str) -> str:
    """Where a link of /proc/PID points, "" when it is gone or not ours to read."""
    try:
        return os.readlink(f"/proc/{pid}/{name}")  # noqa: PTH115  (a Path costs twice as much)
    except OSError:
        return ""


def tty_name(number: int) -> str:
    """The device of a controlling terminal (tty_nr of proc_pid_stat(5)), "" for none or one of an unknown kind."""
    major, minor = os.major(number & 0xFFFFFFFF), os.minor(number & 0xFFFFFFFF)
    if major in _PTS:
        return f"/dev/pts/{(major - _PTS.start) * 256 + minor}"
    if major == _CONSOLE:
        return f"/dev/tty{minor}" if minor < _SERIAL else f"/dev/ttyS{minor - _SERIAL}"
    return ""


def _stat(pid: int) -> tuple[str, str, str, str, str] | None:
    """comm, state, ppid, tty_nr and starttime; None when it is gone. (A comm may hold spaces and parentheses.)"""
    head, closed, tail = content(pid, "stat", 4096).rpartition(b") ")
    if not closed:
        return None
    columns = tail.decode("ascii", "replace").split()
    if len(columns) < 20 or columns[0] in _GONE:
        return None
    comm = head.partition(b" (")[2].decode(errors="replace")
    return comm, columns[0], columns[1], columns[4], columns[19]
