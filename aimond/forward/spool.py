"""What is to be forwarded, on disk, where it outlives this process and the receiver's absence.

One process writes, another reads (``reading.py``). Nothing is synced: a crash of the machine may lose the last seconds,
a crash of either process loses nothing that was written. Calls may block; a thread makes them."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from aimond.forward import segment
from aimond.forward.segment import Damaged, Entry
from aimond.otlp.record import Encoding, Signal

PARTS: Final = 16  # of the spool, each a file; the oldest is what is dropped
POSITION: Final = "sent"
Waiting = tuple[int, Signal, Encoding, bytes]  # seen (µs), signal, encoding, body


class SpoolInUse(Exception):  # noqa: N818
    """Another process writes to this spool, or its reader has not left yet."""


class Spool:
    """The writer. ``limit``: bytes on disk at most; ``evicted``: files that were dropped for it. Numbers go on where
    the last process left off."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory, self._limit = directory, limit
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock = _locked(directory / "lock")
        self._files: dict[Path, int] = {}
        self._fd = -1
        self.evicted = 0
        self._current = Path()
        self._next = 1 + max(*_position(directory), _last(directory))
        self._look()

    @property
    def size(self) -> int:
        """Bytes on disk, as far as this process knows."""
        return sum(self._files.values())

    def append(self, waiting: Iterable[Waiting]) -> tuple[int, str]:
        """Write them down. How many could not be, and why."""
        lost, why = 0, ""
        try:
            self._mend()
        except (OSError, SpoolInUse) as error:
            return len(list(waiting)), f"the spool cannot be written: {error}"
        for seen, signal, encoding, body in waiting:
            try:
                self._append(Entry(self._next, seen, signal, encoding, body))
            except OSError as error:
                lost, why = lost + 1, f"the spool cannot be written: {error.strerror or error}"
            else:
                self._next += 1
        return lost, why

    def close(self) -> None:
        """Let another process write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        os.close(self.lock)

    def _mend(self) -> None:
        """Make anew what was deleted, by a user perhaps: what is written to it is read by nobody."""
        if not os.fstat(self.lock).st_nlink:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _locked(self._directory / "lock")
            os.close(self.lock)
            self.lock = lock
        if self._fd >= 0 and not os.fstat(self._fd).st_nlink:
            os.close(self._fd)
            self._fd = -1
            self._look()

    def _append(self, entry: Entry) -> None:
        if self._fd < 0 or self._files.get(self._current, 0) + entry.size > self._limit // PARTS:
            self._begin(entry.number)
        if self.size + entry.size > self._limit:
            self._make_room(entry.size)
        at = self._files.get(self._current, 0)
        try:
            segment.write(self._fd, entry)
        except OSError:
            os.ftruncate(self._fd, at)
            raise
        self._files[self._current] = at + entry.size

    def _begin(self, number: int) -> None:
        if self._fd >= 0:
            if not self._files.get(self._current):
                return
            os.close(self._fd)
            self._fd = -1
        self._current = segment.path(self._directory, number)
        # One that is there has nothing but what was torn before it could be numbered.
        self._fd = os.open(self._current, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._files[self._current] = 0

    def _make_room(self, needed: int) -> None:
        self._look()  # the reader has removed what is sent
        for path in [each for each in self._files if each != self._current]:
            if self.size + needed <= self._limit:
                return
            path.unlink(missing_ok=True)
            del self._files[path]
            self.evicted += 1

    def _look(self) -> None:
        self._files = {}
        for _, path in segment.found(self._directory):
            with suppress(FileNotFoundError):
                self._files[path] = path.stat().st_size


def acknowledged(directory: Path) -> int:
    """The number of the last request that needs not be sent any more, 0 at first."""
    return _position(directory)[0]


def accepted(directory: Path) -> dict[Signal, int]:
    """The same of each signal: those up to there need not be sent, even where another signal's still must be."""
    return dict(zip(segment.SIGNALS, _position(directory)[1:], strict=True))


def _position(directory: Path) -> list[int]:
    try:
        numbers = list(map(int, (directory / POSITION).read_text().split()))
    except (FileNotFoundError, ValueError):
        numbers = []
    return [*numbers, *[0] * len(segment.SIGNALS), 0][: 1 + len(segment.SIGNALS)]


def instance(directory: Path) -> str:
    """A name for this monitor that stays: by it, it knows its own when it comes back."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "instance"
    with suppress(FileNotFoundError):
        if len(name := path.read_text().strip()) == 32:
            return name
    name = secrets.token_hex(16)
    path.touch(mode=0o600)
    path.write_text(name)
    return name


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SpoolInUse(f"{path.parent} is in use by another aimond") from None
    return lock


def _last(directory: Path) -> int:
    """The number of the last request that was written."""
    last = 0
    for first, path in segment.found(directory)[-2:]:
        last = max(last, first - 1)
        fd, offset = os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0
        try:
            while True:
                try:
                    entry = segment.read(fd, offset)
                except Damaged as damaged:
                    if not damaged.length:
                        break
                    offset += damaged.length
                    continue
                if entry is None:
                    break
                last, offset = entry.number, offset + entry.size
        finally:
            os.close(fd)
    return last


def place() -> Path:
    """Where it is: ``$XDG_STATE_HOME/aimond/spool``."""
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "aimond" / "spool"
