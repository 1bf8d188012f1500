"""Takes what is in the spool to the upstream: in order, at least once, and no more often than OTLP allows.

Runs in a process of its own (``__main__.py``), so that neither Python's lock nor an upstream that hangs is ever felt on
the desktop. It waits, without polling, until there is something."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from itertools import takewhile
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import asdict

from aimond.forward import loop
from aimond.forward.answer import Answer
from aimond.forward.normalize import Normalizer, Read
from aimond.forward.reading import Reader
from aimond.forward.requests import parsed, words
from aimond.forward.segment import Entry
from aimond.otlp.record import Signal

WINDOW: Final = 2**20  # bytes that are sent together
TOGETHER: Final = 1.0  # seconds within which what comes is sent together, where it has to wait anyway
FIRST_PAUSE: Final = 1.0  # seconds between tries, doubled each time
LONGEST_PAUSE: Final = 60.0


class Exporter(Protocol):
    """HTTP or gRPC."""

    def export(self, signal: Signal, body: bytes) -> Answer:
        """Send one request, and wait for its answer."""


class Report(Struct):
    """How it goes. ``behind``: more is waiting. The numbers count since the process began: requests
    ``sent``, ``lost`` (dropped from the spool, or damaged there) and ``refused`` for good by the upstream; records
    ``rejected`` by it."""

    state: str = "ok"  # or "retrying"
    behind: bool = False
    sent: int = 0
    lost: int = 0
    refused: int = 0
    rejected: int = 0
    error: str = ""

    def line(self) -> str:
        """For the process that started this one."""
        return json.dumps(asdict(self))


class _Held(Struct):
    entry: Entry
    read: Read


class Courier:
    """``wait`` returns when something was written, when so many seconds have passed (None: however long it takes),
    or, False, when all is to end. ``linger``: seconds that a request is held, for others that tell of it; ``tell``
    hears of changes."""

    def __init__(
        self,
        reader: Reader,
        exporter: Exporter,
        *,
        instance: str,
        wait: Callable[[float | None], bool],
        tell: Callable[[Report], None],
        normalizer: Normalizer | None = None,
        linger: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._exporter, self._instance = reader, exporter, instance
        self._wait, self._tell, self._clock = wait, tell, clock
        self._normalizer, self._linger = normalizer, linger
        self._report = Report()
        self._held: list[_Held] = []

    def run(self) -> None:
        """Until the end is asked for."""
        self._tell(self._report)
        while True:
            self._read()
            if not self._held:
                if not self._wait(None):
                    return
            elif (left := self._due() - time.time()) > 0:
                if not self._wait(min(left, self._linger + TOGETHER)):
                    return
            elif not self._deliver():
                return

    def _read(self) -> None:
        """Take what is new, as far as it may be held, and learn from it."""
        room = WINDOW - sum(held.entry.size for held in self._held)
        for entry in self._reader.read(room) if room > 0 else ():
            self._held.append(_Held(entry, self._understood(entry)))
        self._report.lost = self._reader.lost
        self._report.behind = self._is_full()

    def _is_full(self) -> bool:
        return sum(held.entry.size for held in self._held) >= WINDOW

    def _due(self) -> float:
        """When something is to be sent; others may come along until then."""
        seen = self._held[0].entry.seen / 1e6
        return 0.0 if self._is_full() else seen + self._linger + (TOGETHER if self._linger else 0.0)

    def _deliver(self) -> bool:
        """Send what has been held for long enough, those of one signal together. False if the end came first."""
        old = (time.time() - self._linger) * 1e6
        ready = list(takewhile(lambda held: held.entry.seen <= old or self._is_full(), self._held))
        bodies: dict[Signal, list[bytes]] = {}
        for held in ready:
            if (body := self._finished(held.read)) is not None and not self._reader.is_accepted(held.entry):
                bodies.setdefault(held.entry.signal, []).append(body)
        last = ready[-1].entry.number
        for signal, of_signal in bodies.items():
            if not self._send(signal, of_signal):
                return False
            self._reader.accept(signal, last)
        self._reader.acknowledge(last)
        self._held = self._held[len(ready) :]
        self._tell(self._report)
        return True

    def _understood(self, entry: Entry) -> Read:
        try:
            request = parsed(entry.signal, entry.encoding, entry.body)
            return self._normalizer.read(entry.signal, request) if self._normalizer else Read(entry.signal, request)
        except Exception as error:
            self._refuse(entry.signal, error)
            return Read(entry.signal, None)

    def _finished(self, read: Read) -> bytes | None:
        """As it is sent, if it can be."""
        if read.request is None:
            return None
        try:
            if self._normalizer:
                self._normalizer.finish(read)
            loop.mark(read.request, self._instance)
            body: bytes = read.request.SerializeToString()
        except Exception as error:
            self._refuse(read.signal, error)
            return None
        return body

    def _refuse(self, signal: Signal, error: Exception) -> None:
        """Whatever is wrong with one request, those behind it are sent."""
        self._report.refused += 1
        self._report.error = words(signal, error)

    def _send(self, signal: Signal, bodies: list[bytes]) -> bool:
        """Requests of one signal, as one (on the wire, one after the other is one of all); where that is refused for
        good, one by one, so that a bad one takes no others with it. False if the end came first."""
        pause = FIRST_PAUSE
        while True:
            answer = self._exporter.export(signal, b"".join(bodies))
            report = self._report
            if answer.accepted:
                report.sent += len(bodies)
                report.rejected += answer.rejected
                report.state = "ok"
                report.error = answer.reason or report.error
                return True
            report.error = answer.reason
            if not answer.again:
                if len(bodies) > 1:
                    return all(self._send(signal, [body]) for body in bodies)
                report.state = "ok"
                report.refused += 1
                return True
            report.state = "retrying"
            self._tell(report)
            if not self._sleep(answer.wait or pause * random.uniform(0.8, 1.2)):  # noqa: S311
                return False
            pause = min(2 * pause, LONGEST_PAUSE)

    def _sleep(self, seconds: float) -> bool:
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if not self._wait(left):
                return False
        return True
