"""Standard output with a reader that may be slow, and may be gone: a bar's, an eww's, a pipe's."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_GENERATIONS: Final = 4  # how far up a reader is looked for


async def while_read(work: Coroutine[Any, Any, int]) -> int:
    """The work's result; 0, as soon as the reader of standard output is gone, even while nothing is written.

    (Waybar 0.9.17 leaves what it started behind, with SIGPIPE ignored.) A terminal or a file is never gone.
    """
    gone = asyncio.Event()
    _watch(sys.stdout.fileno(), gone)
    working, unread = asyncio.ensure_future(work), asyncio.ensure_future(gone.wait())
    await asyncio.wait({working, unread}, return_when=asyncio.FIRST_COMPLETED)
    if working.done() and not unread.done():
        unread.cancel()
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    let_go()
    return 0


def let_go() -> None:
    """Nobody reads any more: what is still to be written goes nowhere, and is no error when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_pipe(descriptor: int) -> bool:
    """Whether somebody at the other end may go away."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _watch(descriptor: int, gone: asyncio.Event) -> None:
    """Set the event when the other end is closed, or whoever reads there has exited."""
    if not is_pipe(descriptor):
        return
    loop = asyncio.get_running_loop()
    end = select.poll()
    end.register(descriptor, 0)

    def look() -> None:
        loop.remove_reader(descriptor)  # also when it was only a socket whose other end sends something
        if end.poll(0):
            gone.set()

    # The kernel tells of a closed end unasked, as an error at ours.
    loop.add_reader(descriptor, look)
    # Waybar 0.9.17 lets its scripts inherit the ends of those before them: one that stays keeps our pipe open.
    with suppress(OSError):
        if reader := _reading_ancestor(str(Path(f"/proc/self/fd/{descriptor}").readlink())):
            loop.add_reader(os.pidfd_open(reader), gone.set)


def _reading_ancestor(pipe: str) -> int:
    """The nearest ancestor that has the pipe open for reading, 0 if none has. (The one between may be a shell.)"""
    pid = os.getppid()
    for _ in range(_GENERATIONS):
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    # The mode of the link is how it was opened: proc(5), /proc/pid/fd.
                    if link.lstat().st_mode & stat.S_IRUSR and str(link.readlink()) == pipe:
                        return pid
        stat_line = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat_line.rpartition(")")[2].split()[1])
        if pid <= 1:
            break
    return 0


class Lines:
    """Writes whole lines and waits for nobody: of those that a slow reader has not taken, the newest is kept."""

    def __init__(self) -> None:
        self._descriptor = sys.stdout.fileno()
        self._rest = b""
        self._next = b""
        if is_pipe(self._descriptor):
            os.set_blocking(self._descriptor, False)

    def put(self, line: str) -> None:
        """Write a line, now or when there is room."""
        self._next = line.encode(errors="replace") + b"\n"
        self._write()

    def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._rest or self._next:
                if not self._rest:
                    self._rest, self._next = self._next, b""
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
        except BlockingIOError:
            loop.add_writer(self._descriptor, self._write)
            return
        except OSError:  # nobody reads any more, which while_read is told too
            self._rest = self._next = b""
        if is_pipe(self._descriptor):
            loop.remove_writer(self._descriptor)
