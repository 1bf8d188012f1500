"""The file of the history: where it lies, who may open it, what is done with one that is broken."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aimond.history import schema

# Milliseconds in which another program's lock may go away by itself; then it is tried again later.
_BUSY: Final = 200
# A file's log is cut to this size when it has been merged into the file; 1,000 pages are when that is done.
_LOG_SIZE: Final = 8 * 2**20
_BESIDE: Final = ("", "-wal", "-shm")
_INCREMENTAL: Final = 2  # as sqlite.org/pragma.html#pragma_auto_vacuum numbers it

# SQLite's result codes (sqlite.org/rescode.html), and what they mean to a user.
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LASTING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT})
# Without a code: sqlite3 itself refuses a value.
_OF_DATA: Final = frozenset({sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, -1})
_WORDS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another program has it locked",
    sqlite3.SQLITE_LOCKED: "another program has it locked",
    sqlite3.SQLITE_READONLY: "it cannot be written to",
    sqlite3.SQLITE_PERM: "it cannot be written to",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "reading or writing failed",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}


def default_path() -> Path:
    """Where it lies: ``$XDG_STATE_HOME/aimond/history.sqlite3``."""
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "aimond" / "history.sqlite3"


class HeldError(Exception):
    """Another monitor writes this history."""


def _code(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code  # the higher bits say more than is needed here


def is_broken(error: Exception) -> bool:
    """Whether the file is no sound database any more."""
    return isinstance(error, sqlite3.Error) and _code(error) in _BROKEN


def is_passing(error: Exception) -> bool:
    """Whether the open file will do when the cause has gone; otherwise it has to be opened again."""
    return isinstance(error, sqlite3.Error) and _code(error) in _LASTING


def is_of_data(error: Exception) -> bool:
    """Whether it is a row that cannot be written, not the file."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.IntegrityError | sqlite3.DataError) or _code(error) in _OF_DATA
    return not isinstance(error, OSError | HeldError)


def words(error: Exception) -> str:
    """What is wrong, for a user."""
    if isinstance(error, sqlite3.Error):
        return _WORDS.get(_code(error), str(error))
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


class File:
    """A path and, while it is open, the connection to the database there. Held by one monitor at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        self._identity: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """The database, made or brought to this version if need be. Raises HeldError, schema.NewerError,
        schema.StrangeError, OSError or sqlite3.Error."""
        if not self.path.parent.is_dir():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._hold()
        # So that it is never readable by others, and its log and index neither: SQLite gives them the same mode.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            header = os.pread(descriptor, 100, 0)
        finally:
            os.close(descriptor)
        # Looked at from outside, as opening a later version's file could already change it (offset 60: user_version).
        if header.startswith(b"SQLite format 3\0") and int.from_bytes(header[60:64], "big") > len(schema.MIGRATIONS):
            raise schema.NewerError
        db = connect(self.path)
        self._identity = self._there()
        return db

    def is_there(self) -> bool:
        """Whether the path still leads to the file that was opened."""
        return self._identity is not None and self._there() == self._identity

    def set_aside(self) -> Path:
        """Move a broken file away, with what belongs to it; where to. Raises OSError."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{self.path.name}.broken-{stamp}")
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        return aside

    def release(self) -> None:
        """Let another monitor have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _there(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _hold(self) -> None:
        """On a file beside it: closing a descriptor of the database itself would drop SQLite's own locks."""
        if self._lock >= 0:
            return
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise HeldError("another monitor writes it") from None
            raise
        self._lock = lock


def connect(path: Path | None) -> sqlite3.Connection:
    """A database of this version: in that file, or in memory. To be used by one thread at a time."""
    # Safe in threads by its own lock; no statement of ours begins a transaction by itself.
    db = sqlite3.connect(path or ":memory:", timeout=_BUSY / 1000, isolation_level=None, check_same_thread=False)
    try:
        if db.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # waits for whoever writes, even where it changes nothing
        db.execute("PRAGMA journal_mode = WAL")
        # NORMAL would keep up to 1,000 pages from a power cut; FULL makes a commit final. There are few: see Store.
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        schema.migrate(db)
    except BaseException:
        db.close()
        raise
    return db
