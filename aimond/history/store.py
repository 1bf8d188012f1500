"""The history as the daemon sees it: nothing here waits for the disk, one thread of its own does."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

from aimond.core.budget import Spending, Told
from aimond.core.rows import Past, Rows, UsageRow
from aimond.core.usage import Spent
from aimond.history.pending import Pending
from aimond.history.queries import GROUPS, ModelSeen
from aimond.history.shelf import Shelf

T = TypeVar("T")
Question = tuple[Callable[[], Any], asyncio.Future[Any]]

_LOG: Final = logging.getLogger(__name__)

# Seconds between commits: each waits for the disk, and together they take as long as one. What a power cut or kill -9
# may take is what came in this time, and while a commit was under way.
LINGER: Final = 0.25
# Seconds until what could not be written is tried again, doubled each time.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
# Seconds in which the last rows may be written at the end.
FAREWELL: Final = 5.0


def _now() -> int:
    return time.time_ns() // 1000


class Store:
    """Keeps the history in a file, or in memory where ``path`` is None. Calls older than ``keep_days`` are deleted, and
    the oldest when the file is larger than ``max_bytes``. ``told`` is called in the event loop when what is wrong
    becomes different: "" says that nothing is. To be used in one event loop."""

    def __init__(
        self,
        path: Path | None,
        keep_days: int,
        max_bytes: int,
        told: Callable[[str], None],
        *,
        clock: Callable[[], int] = _now,
    ) -> None:
        self._shelf = Shelf(path, keep_days, max_bytes, clock)
        self._told = told
        self._said = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        # What the loop hands over, under a lock that is never held for longer than it takes to take it.
        self._wake = threading.Condition()
        self._incoming = Pending()
        self._questions: list[Question] = []
        self._closing = False
        # The shelf is the thread's; at the start, before anything is put, it is the caller's.
        self._shelf_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def open(self) -> None:
        """Open the file, make it if there is none, and begin to write. In the event loop; it may wait for the disk."""
        self._loop = asyncio.get_running_loop()
        with self._shelf_lock:
            self._shelf.open()
            self._tell()
        self._thread.start()

    def past(self, since: int, most: int) -> list[Past]:
        """The sessions that were heard of since then (µs), the newest first, at most so many: each with its last turns
        and newest keys, the oldest first. Waits for the disk: for the start."""
        with self._shelf_lock:
            return self._shelf.past(since, most)

    def buckets(self, since: int) -> dict[int, Spent]:
        """What was used, by quarter of an hour (core/ledger.py), from that of ``since`` on. Waits for the disk."""
        with self._shelf_lock:
            return self._shelf.buckets(since)

    def spending(self, since: int, day_of: Callable[[int], date]) -> tuple[list[Spending], list[Told]]:
        """What was spent since then (µs), by local day, session and model, and the thresholds of budgets that were
        told. ``day_of``: the day of a time. Waits for the disk."""
        with self._shelf_lock:
            return self._shelf.spending(since, day_of)

    def put(self, rows: Rows) -> None:
        """Hand rows over; they are written within a second, or as soon as that can be."""
        with self._wake:
            idle = not self._incoming
            self._incoming.add(rows)
            if idle:
                self._wake.notify()

    async def usage(self, start: int, end: int, group: str) -> list[UsageRow]:
        """What was used from ``start`` until before ``end`` (µs), by ``day``, ``agent``, ``model``, ``project`` or
        ``session``, all rows that were put before included. A hidden thread counts under the session it serves.
        ValueError for another group; RuntimeError when the history is closed."""
        if group not in GROUPS:
            raise ValueError(f"no such group: {group} (there are {', '.join(GROUPS)})")
        return await self._ask(lambda: self._shelf.usage(start, end, group))

    async def models(self) -> list[ModelSeen]:
        """Every model that was called, with its agent and provider, the last one first. RuntimeError as for usage."""
        return await self._ask(self._shelf.models)

    async def written(self) -> bool:
        """Wait until the rows that were put before are in the file, for good; False if they cannot be for now."""
        return await self._ask(lambda: not self._shelf.pending)

    def close(self) -> None:
        """Write what is left and close the file; waits for that a few seconds at most. It may be called twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(FAREWELL)

    async def _ask(self, question: Callable[[], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing or self._loop is None:
                raise RuntimeError("the history is closed")
            self._questions.append((question, answer))
            self._wake.notify()
        return await answer

    # -- the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        shelf, pause, earliest, closing = self._shelf, FIRST_PAUSE, 0.0, False
        while not closing:
            rows, questions, closing = self._take(earliest)
            with self._shelf_lock:
                shelf.add(rows)
                due = time.monotonic() >= earliest
                if shelf.pending and (due or questions or closing):
                    if shelf.write():
                        earliest, pause = time.monotonic() + LINGER, FIRST_PAUSE
                    elif due:  # questions do not put off the next time
                        earliest, pause = time.monotonic() + pause, min(pause * 2, LONGEST_PAUSE)
                self._tell()
                self._answer(questions)
                if closing:
                    self._end()
                else:
                    shelf.tidy()
                self._tell()

    def _take(self, earliest: float) -> tuple[Pending, list[Question], bool]:
        """What there is to do, as soon as there is something: rows not before ``earliest``."""
        with self._wake:
            while not (self._questions or self._closing or self._shelf.is_untidy):
                if self._shelf.pending or self._incoming:
                    left = earliest - time.monotonic()
                    if left <= 0:
                        break
                    self._wake.wait(left)
                else:
                    self._wake.wait()
            rows, self._incoming = self._incoming, Pending()
            questions, self._questions = self._questions, []
            return rows, questions, self._closing

    def _end(self) -> None:
        until = time.monotonic() + FAREWELL / 2
        while not self._shelf.write() and time.monotonic() < until:
            time.sleep(0.1)
        if self._shelf.pending:
            _LOG.warning(
                "%d calls could not be written to the history: %s", len(self._shelf.pending.calls), self._shelf.problem
            )
        self._shelf.close()

    def _answer(self, questions: list[Question]) -> None:
        for question, answer in questions:
            try:
                result, error = question(), None
            except Exception as failed:
                result, error = None, failed
            self._in_loop(_settle, answer, result, error)

    def _tell(self) -> None:
        if self._shelf.problem != self._said:
            self._said = self._shelf.problem
            self._in_loop(self._told, self._said)

    def _in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                self._loop.call_soon_threadsafe(call, *arguments)


def _settle(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():  # nobody waits for it any more
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
