"""A spool, a courier in a thread and an upstream: all of forwarding but the daemon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aimond.forward.__main__ import exporter
from aimond.forward.courier import Courier, Report
from aimond.forward.normalize import Normalizer
from aimond.forward.reading import Reader
from aimond.forward.spool import Spool
from aimond.sections import Forward
from tests.forward.upstream import Upstream

PATIENCE = 20.0
FASTER = 20.0  # go the pauses between tries


def log(name: str, padding: int = 0) -> bytes:
    """A logs request of one record."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(event_name=name, time_unix_nano=10**18)
    record.body.string_value = "x" * padding
    return request.SerializeToString()


def span(name: str) -> bytes:
    """A traces request of one span."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    return request.SerializeToString()


def until(what: Callable[[], Any]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


class Desk:
    """``put`` writes and rings, ``report`` is the courier's last word."""

    def __init__(
        self,
        directory: Path,
        upstream: Upstream,
        limit: int = 10**8,
        normalizer: Normalizer | None = None,
        **forward: Any,
    ) -> None:
        self.directory, self.upstream = directory, upstream
        self.spool = Spool(directory, limit)
        self._forward = Forward(endpoint=upstream.endpoint, protocol=upstream.protocol, **forward)
        self._normalizer = normalizer
        self._bell = threading.Event()
        self._ended = False
        self.report = Report()
        self.states: list[str] = []
        self.slept: list[float] = []

    def put(self, *bodies: bytes, signal: Any = "logs") -> tuple[int, str]:
        lost = self.spool.append((time.time_ns() // 1000, signal, "protobuf", body) for body in bodies)
        self._bell.set()
        return lost

    def start(self) -> Desk:
        self._ended = False
        self.reader = Reader(self.directory)
        courier = Courier(
            self.reader,
            exporter(self._forward),
            instance="f" * 32,
            wait=self._wait,
            tell=self._tell,
            clock=self._clock,
            normalizer=self._normalizer,
        )
        self._thread = threading.Thread(target=courier.run)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._ended = True
        self._bell.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.reader.close()

    def _wait(self, seconds: float | None) -> bool:
        if seconds is not None:
            self.slept.append(seconds)
            seconds /= FASTER
        self._bell.wait(seconds)
        if self._ended:
            return False
        self._bell.clear()
        return True

    def _clock(self) -> float:
        return time.monotonic() * FASTER

    def _tell(self, report: Report) -> None:
        self.report = Report(**{name: getattr(report, name) for name in Report.__slots__})
        self.states.append(report.state)
