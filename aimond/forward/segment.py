"""The files of the spool: requests one after the other, each with its number, length and checksum.

A file is named for the number of its first request. It is only appended to, so what is torn is its end."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final

from msgspec import Struct

from aimond.otlp.record import Encoding, Signal

# Length of the body, CRC-32 of all that follows it, number, time of arrival (µs since the epoch), signal, encoding.
HEAD: Final = struct.Struct("<IIQQBB")
_UNCHECKED: Final = 8  # bytes of a head: length and checksum
LONGEST: Final = 64 * 2**20
SIGNALS: Final[tuple[Signal, ...]] = ("logs", "traces", "metrics")
ENCODINGS: Final[tuple[Encoding, ...]] = ("protobuf", "json")
SUFFIX: Final = ".otlp"


class Entry(Struct, frozen=True):
    """One request as it was received. ``number`` counts requests of this spool, from 1; ``seen`` in µs."""

    number: int
    seen: int
    signal: Signal
    encoding: Encoding
    body: bytes

    @property
    def size(self) -> int:
        """What it takes in a file, bytes."""
        return HEAD.size + len(self.body)


class Damaged(Exception):  # noqa: N818
    """What is there is no entry; ``length``: what it takes if its head can be believed, else 0."""

    def __init__(self, length: int) -> None:
        super().__init__("damaged")
        self.length = length


def write(fd: int, entry: Entry) -> None:
    """Append it with one system call. Raises OSError when less than all of it was written."""
    rest = HEAD.pack(
        len(entry.body), 0, entry.number, entry.seen, SIGNALS.index(entry.signal), ENCODINGS.index(entry.encoding)
    )[_UNCHECKED:]
    checksum = zlib.crc32(entry.body, zlib.crc32(rest))
    head = len(entry.body).to_bytes(4, "little") + checksum.to_bytes(4, "little") + rest
    written = os.writev(fd, (head, entry.body))
    if written != entry.size:
        raise OSError(f"{written} of {entry.size} bytes were written")


def read(fd: int, offset: int) -> Entry | None:
    """The entry that begins there, None if it is not (wholly) there. Raises Damaged."""
    head = os.pread(fd, HEAD.size, offset)
    if len(head) < HEAD.size:
        return None
    length, checksum, number, seen, signal, encoding = HEAD.unpack(head)
    if length > LONGEST or signal >= len(SIGNALS) or encoding >= len(ENCODINGS):
        raise Damaged(0)
    body = os.pread(fd, length, offset + HEAD.size)
    if len(body) < length:
        return None
    if zlib.crc32(body, zlib.crc32(head[_UNCHECKED:])) != checksum:
        raise Damaged(HEAD.size + length)
    return Entry(number, seen, SIGNALS[signal], ENCODINGS[encoding], body)


def path(directory: Path, number: int) -> Path:
    """The file whose first request has that number."""
    return directory / f"{number:020d}{SUFFIX}"


def found(directory: Path) -> list[tuple[int, Path]]:
    """All files by the number of their first request, the oldest first."""
    return sorted((int(each.stem), each) for each in directory.glob(f"*{SUFFIX}") if each.stem.isdecimal())
