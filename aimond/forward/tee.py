"""Everything received, once more: to the spool, from where a process of its own sends it on.

Neither an answer nor the desktop waits for it. What was received is noted at once, and written by a thread a moment
later."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from aimond.config import Config
from aimond.core.change import Change
from aimond.core.forwarding import Forwarding
from aimond.forward import loop, spool
from aimond.forward.private import scrubbed
from aimond.forward.requests import words
from aimond.forward.spool import Spool, SpoolInUse, Waiting
from aimond.otlp.record import Batch

_LOG: Final = logging.getLogger(__name__)

PAUSE: Final = 0.02  # seconds until it is written, with what comes meanwhile
MOST: Final = 32 * 2**20  # bytes that may wait for the disk
GOODBYE: Final = 2.0  # seconds; the process takes one to finish what is on its way


class SenderGone(Exception):  # noqa: N818
    """The process that sends has ended by itself; it is started again."""


class Tee:
    """An output of the daemon (``core.output``), told of each request as well. ``changed`` is called when ``health``
    has another state."""

    def __init__(self, config: Config, changed: Callable[[], None]) -> None:
        self._config, self._changed = config, changed
        self._directory = spool.place()
        self._instance = spool.instance(self._directory)
        self._signals = frozenset(config.forward.signals)
        self._is_discreet = config.forward.privacy and config.forward.mode == "normalized"
        self._spool: Spool | None = None
        self._thread = ThreadPoolExecutor(1, "spool")
        self._waiting: deque[Waiting] = deque()
        self._size = 0
        self._is_due = False
        self._leaving: asyncio.Future[None] | None = None
        self._bell: asyncio.StreamWriter | None = None
        self._said: dict[str, Any] = {}
        self._before: dict[str, int] = {}
        self._evicted = 0
        self._failure = ""
        self._state = "ok"
        self.cut = 0
        self.unwritten = 0

    def admit(self, batch: Batch) -> bool:
        """False for a request that this monitor has sent itself; of one that has other records, those are left."""
        cut = loop.cut(batch, self._instance)
        self.cut += cut
        return not cut or bool(batch.body)

    def take(self, batch: Batch) -> None:
        """Forward a request. Its body is not needed any more afterwards."""
        if batch.signal in self._signals and batch.body:
            self._waiting.append((batch.seen, batch.signal, batch.encoding, batch.body))
            self._size += len(batch.body)
            while self._size > MOST:
                self._size -= len(self._waiting.popleft()[3])
                self.unwritten += 1
            if not self._is_due:
                self._is_due = True
                asyncio.get_running_loop().call_later(PAUSE, self._write)
        batch.body = b""

    def publish(self, changes: Sequence[Change]) -> None:
        """Changes are not forwarded, records are."""

    @property
    def health(self) -> Forwarding:
        """How it goes."""
        lost = self.told("lost") + self.told("refused") + self.unwritten
        size = self._spool.size if self._spool else 0
        return Forwarding(self._state, self.told("sent"), lost, size, self._failure or str(self._said.get("error", "")))

    def told(self, count: str) -> int:
        """What the sending processes have counted since the start: a field of ``courier.Report``."""
        return self._before.get(count, 0) + int(self._said.get(count, 0))

    async def run(self) -> None:
        """Until cancelled. Raises SpoolInUse, SenderGone or OSError; it may be called again then."""
        process = None
        try:
            self._spool = Spool(self._directory, self._config.forward.spool_mb * 10**6)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aimond.forward",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(self._spool.lock,),  # held until this process has left, too
            )
            await self._follow(process)
        except (OSError, SpoolInUse) as error:
            self._record(0, str(error))
            raise
        finally:  # to the end, where it is told to stop meanwhile: see close
            self._leaving = asyncio.ensure_future(self._leave(process))
            await asyncio.shield(self._leaving)

    async def close(self) -> None:
        """Write what waits, for the next run to send; ``run`` has ended, and nothing more is taken."""
        if self._leaving:
            await asyncio.wait([self._leaving])
        if waiting := self._all():
            lost, why = await asyncio.get_running_loop().run_in_executor(self._thread, self._append_last, waiting)
            if lost:
                _LOG.warning("%d requests are not forwarded: %s", lost, why)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        self._bell = process.stdin
        if self._bell is None or process.stdout is None:
            raise SenderGone("no pipes")
        self._bell.write(self._config.model_dump_json().encode() + b"\n")
        self._write()
        while line := await process.stdout.readline():
            with suppress(ValueError):
                self._said = json.loads(line)
                self._failure = ""
            self._review()
        raise SenderGone(f"the process that sends has ended: exit status {await process.wait()}")

    async def _leave(self, process: asyncio.subprocess.Process | None) -> None:
        self._before = {key: self.told(key) for key in ("sent", "lost", "refused", "rejected")}
        self._said = {"error": self._said.get("error", "")}
        written, self._spool = self._spool, None  # what comes from here on waits for the next process
        if written:
            last = asyncio.get_running_loop().run_in_executor(self._thread, self._append, written, self._all())
            lost, why = await last
            self._record(lost, why or self._failure)
            written.close()
        if self._bell:
            self._bell.close()
            self._bell = None
        if process is None:
            return
        try:
            async with asyncio.timeout(GOODBYE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    # -- writing ------------------------------------------------------------------------------------

    def _write(self) -> None:
        if self._spool is None or not self._waiting:
            self._is_due = False
            return
        self._is_due = True
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._append, self._spool, self._all())
        job.add_done_callback(self._written)

    def _append(self, written: Spool, waiting: list[Waiting]) -> tuple[int, str]:
        """In the thread: as Spool.append, without what is private."""
        if not self._is_discreet:
            return written.append(waiting)
        fit, unfit = list[Waiting](), ""
        for seen, signal, encoding, body in waiting:
            try:
                fit.append((seen, signal, "protobuf", scrubbed(signal, encoding, body)))
            except Exception as error:  # whatever it is, those behind it are written
                unfit = words(signal, error)
        lost, why = written.append(fit)
        return lost + len(waiting) - len(fit), why or unfit

    def _append_last(self, waiting: list[Waiting]) -> tuple[int, str]:
        until, size = time.monotonic() + GOODBYE, self._config.forward.spool_mb * 10**6
        while True:
            try:
                last = Spool(self._directory, size)
            except SpoolInUse as error:  # by our own process that sends, perhaps, if it was killed
                if time.monotonic() > until:
                    return len(waiting), str(error)
                time.sleep(0.05)
            except OSError as error:
                return len(waiting), str(error)
            else:
                told = self._append(last, waiting)
                last.close()
                return told

    def _all(self) -> list[Waiting]:
        waiting = list(self._waiting)
        self._waiting.clear()
        self._size = 0
        return waiting

    def _written(self, job: asyncio.Future[tuple[int, str]]) -> None:
        if job.cancelled():
            return
        self._record(*job.result())
        if self._bell and not self._bell.is_closing():
            self._bell.write(b"\n")
        self._write()

    def _record(self, lost: int, why: str) -> None:
        self.unwritten += lost
        if why and why != self._failure:
            _LOG.warning("not forwarded: %s", why)
        self._failure = why
        self._review()

    # -- how it goes --------------------------------------------------------------------------------

    def _review(self) -> None:
        state = "ok" if self._said.get("state", "ok") == "ok" else "retrying"
        evicted = self._spool.evicted if self._spool else 0
        if state == "ok" and not self._said.get("behind"):
            self._evicted = evicted
        if self._failure or evicted > self._evicted:
            state = "dropping"
        if state != self._state:
            self._state = state
            level = logging.INFO if state == "ok" else logging.WARNING
            _LOG.log(level, "forwarding is %s %s", state, self.health.error if state != "ok" else "again")
            self._changed()
