"""The spool's reader: what is to be sent next, in order, and how much never was."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from aimond.forward import segment, spool
from aimond.forward.segment import Damaged, Entry
from aimond.otlp.record import Signal


class Reader:
    """Reads a spool that another process writes, from the first request that was not acknowledged.

    ``lost``: how many were dropped, or damaged, before they could be read; gaps in the numbers tell. They are counted
    when the next request after them is read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._done = spool.acknowledged(directory)
        self._next = self._done + 1
        self._accepted = spool.accepted(directory)
        self._position = self._open_position()
        self._fd = -1
        self._first, self._offset = 0, 0
        self.lost = 0

    def read(self, most: int) -> list[Entry]:
        """The next requests, at most so many bytes of them but for the first; [] if there are none yet."""
        entries: list[Entry] = []
        size = 0
        while size < most and (entry := self._read()):
            if entry.number < self._next:  # was sent by the process before
                continue
            self.lost += entry.number - self._next
            self._next = entry.number + 1
            entries.append(entry)
            size += entry.size
        return entries

    def is_accepted(self, entry: Entry) -> bool:
        """Whether it was, in the process before, while another signal was not."""
        return entry.number <= self._accepted[entry.signal]

    def accept(self, signal: Signal, number: int) -> None:
        """Need nothing of that signal up to that number any more."""
        self._accepted[signal] = number
        self._note()

    def acknowledge(self, number: int) -> None:
        """Need nothing up to that number any more."""
        self._done = number
        self._note()
        files = segment.found(self._directory)
        for (_, path), (following, _) in pairwise(files):
            if following <= number + 1:
                path.unlink(missing_ok=True)

    def _note(self) -> None:
        if not os.fstat(self._position).st_nlink:  # the spool was deleted, and made anew
            os.close(self._position)
            self._position = self._open_position()
        os.pwrite(self._position, b"".join(b"%020d\n" % each for each in (self._done, *self._accepted.values())), 0)

    def close(self) -> None:
        """Forget where it was."""
        if self._fd >= 0:
            os.close(self._fd)
        os.close(self._position)

    def _open_position(self) -> int:
        return os.open(self._directory / spool.POSITION, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _read(self) -> Entry | None:
        while True:
            if entry := self._here(is_left=False):
                return entry
            newer = [each for each in segment.found(self._directory) if each[0] > self._first]
            if not newer:
                return None
            # A file that the writer has left grows no more: what is not whole by now was torn.
            if entry := self._here(is_left=True):
                return entry
            begin = max((each for each in newer if each[0] <= self._next), default=newer[0])
            self._open(*begin)

    def _here(self, *, is_left: bool) -> Entry | None:
        """The next request in the open file."""
        while self._fd >= 0:
            try:
                entry = segment.read(self._fd, self._offset)
            except Damaged as damaged:
                if damaged.length and (is_left or os.fstat(self._fd).st_size > self._offset + damaged.length):
                    self._offset += damaged.length
                    continue
                return None
            self._offset += entry.size if entry else 0
            return entry
        return None

    def _open(self, first: int, path: Path) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._first, self._offset = first, 0
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # dropped meanwhile
            return
