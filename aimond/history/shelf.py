"""What the writer thread does: rows into the file while that can be, else kept, and answers from both."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from aimond.core.budget import Spending, Told
from aimond.core.ledger import BUCKET
from aimond.core.rows import Past, UsageRow
from aimond.core.turn import SECOND
from aimond.core.usage import Spent
from aimond.history import file, past, queries, retention, schema
from aimond.history.pending import Pending
from aimond.history.writing import Writer

T = TypeVar("T")

_DAY: Final = 86_400 * SECOND
# Beyond the size, the oldest days go until a tenth is free again, so that it is not a day with every write.
_ENOUGH: Final = 0.9
# How often a deletion that fails is tried again at once.
_TRIES: Final = 5
# Bytes of a history that has no file.
IN_MEMORY: Final = 64 * 2**20


class Shelf:
    """The history of one file; of none, in memory. For one thread at a time. Nothing raises that the disk, the file or
    the rows are the cause of: ``problem`` says what is the matter, "" while all is well."""

    def __init__(self, path: Path | None, keep_days: int, max_bytes: int, clock: Callable[[], int]) -> None:
        self.pending = Pending()
        self._file = file.File(path) if path else None
        self._keep = keep_days * _DAY
        self._most = max_bytes if path else min(max_bytes, IN_MEMORY)
        self._clock = clock
        self._writer: Writer | None = None
        self._fault = ""
        # What has happened and cannot be mended: told as long as this one lives.
        self._notice = ""
        self._tidied = 0
        self._tries = 0
        self._tidying = True

    @property
    def problem(self) -> str:
        """What a user should know."""
        lost = "; the oldest calls are being lost" if self.pending.lost and self._fault else ""
        return f"{self._fault}{lost}" or self._notice

    def open(self) -> None:
        """Open the file, if it can be."""
        self._with(lambda _writer: None, None)

    def add(self, rows: Pending) -> None:
        """Take rows, to be written."""
        if self.pending:
            self.pending.merge(rows)
        else:
            self.pending = rows

    def write(self) -> bool:
        """Write what is pending; whether all of it has been."""
        if not self.pending:
            return True
        if not self._with(self._write_pending, False):
            return False
        self.pending = Pending()
        self._fault = ""
        if self._clock() - self._tidied >= _DAY or self._with(self._is_full, False):
            self._tidying, self._tries = True, 0
        return True

    def past(self, since: int, most: int) -> list[Past]:
        """As past.past."""
        return self._with(lambda writer: past.past(writer.db, since, most), [])

    def buckets(self, since: int) -> dict[int, Spent]:
        """As past.buckets."""
        return self._with(lambda writer: past.buckets(writer.db, since), {})

    def spending(self, since: int, day_of: Callable[[int], date]) -> tuple[list[Spending], list[Told]]:
        """As past.spending and past.told."""
        parts: list[Spending] = self._with(lambda writer: past.spending(writer.db, since, day_of), [])
        return parts, self._with(lambda writer: past.told(writer.db), [])

    def usage(self, start: int, end: int, group: str) -> list[UsageRow]:
        """As queries.usage; of what is pending alone when the file cannot be read."""
        answer = self._with(lambda writer: queries.usage(writer.db, self.pending, start, end, group), None)
        return queries.usage(None, self.pending, start, end, group) if answer is None else answer

    def models(self) -> list[queries.ModelSeen]:
        """As queries.models, and as usage."""
        answer = self._with(lambda writer: queries.models(writer.db, self.pending), None)
        return queries.models(None, self.pending) if answer is None else answer

    def tidy(self) -> bool:
        """Delete a part of what is too old or too much; whether there may be more. Due once a day, and when full."""
        if self._tidying:
            now = self._clock()
            more = self._with(lambda writer: self._tidy(writer, now), None)
            if more is None:  # locked, perhaps: else again when something has been written
                self._tidying, self._tries = self._tries < _TRIES, self._tries + 1
            else:
                self._tidying, self._tries = more, 0
                self._tidied = self._tidied if more else now
        return self._tidying

    @property
    def is_untidy(self) -> bool:
        """Whether ``tidy`` has something to do."""
        return self._tidying

    def close(self) -> None:
        """Close the file. What is still pending is lost."""
        self._let_go()
        if self._file:
            self._file.release()

    def _write_pending(self, writer: Writer) -> bool:
        try:
            writer.write(self.pending)
        except Exception as error:
            if not file.is_of_data(error):
                raise
            self._write_one_by_one(writer)
        return True

    def _write_one_by_one(self, writer: Writer) -> None:
        """One row that cannot be written must not keep the others from it."""
        for part in self.pending.parts():
            try:
                writer.write(part)
            except Exception as error:
                if not file.is_of_data(error):
                    raise
                self._notice = f"a row could not be written and is lost ({error}); please report this"

    def _is_full(self, writer: Writer) -> bool:
        return retention.size(writer.db) > self._most

    def _tidy(self, writer: Writer, now: int) -> bool:
        db, more = writer.db, False

        def delete() -> None:
            nonlocal more
            more = retention.delete_some(db, (now - self._keep) // BUCKET)
            if not more and retention.size(db) > self._most * _ENOUGH:
                more = retention.delete_some(db, retention.oldest_day_ends(db))

        writer.transaction(delete)
        writer.forget()
        return more or retention.give_back(db)

    # -- the database, whatever becomes of it ---------------------------------------------------------

    def _with(self, work: Callable[[Writer], T], otherwise: T) -> T:
        """Do work with the database. A broken one is moved away, and the work is done with a new one."""
        for _ in range(2):
            try:
                result = work(self._open_writer())
            except Exception as error:
                if not self._replaced(error):
                    break
            else:
                self._fault = self._fault if self.pending else ""
                return result
        return otherwise

    def _open_writer(self) -> Writer:
        if self._writer and self._file and not self._file.is_there():
            self._let_go()  # deleted or replaced while we had it open: what is written to it now is seen by nobody
        if self._writer is None:
            self._writer = Writer(self._opened())
        return self._writer

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            return file.connect(None)
        try:
            return self._file.open()
        except (schema.NewerError, schema.StrangeError) as error:
            what = "was written by a later version of aimond" if isinstance(error, schema.NewerError) else "is not ours"
            self._notice = f"{self._file.path} {what} and is left alone; history is kept in memory until aimond ends"
            self._file.release()
            self._file = None
            self._most = min(self._most, IN_MEMORY)
            return file.connect(None)

    def _replaced(self, error: Exception) -> bool:
        """Whether there may be a sound database now, in place of the one that failed."""
        self._fault = file.words(error)
        if self._file is None:
            return False
        self._fault = f"{self._file.path}: {self._fault}"
        if not file.is_passing(error):
            self._let_go()
        if not file.is_broken(error):
            return False
        try:
            aside = self._file.set_aside()
        except OSError as refused:
            self._fault += f", and it cannot be moved away: {file.words(refused)}"
            return False
        self._notice = f"{self._file.path} was broken; it is now {aside.name}, and a new one was begun"
        return True

    def _let_go(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.db.close()
        self._writer = None
