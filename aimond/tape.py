"""Recordings of what CLIs sent: lines to the same calls that a live daemon gets."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Peer, Signal

GZIP: Final = b"\x1f\x8b"
LONGEST: Final = 10**9  # seconds
_NO_TAPE: Final = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
_TEXTS: Final = (
    *("kind", "tool", "event", "via", "comm", "cwd"),
    *("transport", "signal", "path", "content_type", "content_encoding", "body"),
)
_KINDS: Final[dict[str, type]] = {**dict.fromkeys(_TEXTS, str), "peer": dict, "payload": dict, "epoch_ns": int}
SIGNALS: Final[dict[str, Signal]] = {"logs": "logs", "traces": "traces", "metrics": "metrics"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what happened ``t`` seconds after the recording began. ``kind``: ``otlp``, ``process`` or ``hook``."""

    kind: str
    t: float
    fields: dict[str, Any]

    @property
    def body(self) -> bytes:
        """The request body as it was sent, gzipped if it was."""
        return base64.b64decode(self.fields.get("body") or "")


@dataclass(slots=True)
class Tape:
    """A recording. ``epoch`` is the wall clock at t = 0, µs."""

    tool: str
    epoch: int
    lines: list[Line]
    _processes: dict[int, str] = field(default_factory=dict)

    def at(self, t: float) -> int:
        """The wall clock at ``t``, µs."""
        return self.epoch + round(t * 1_000_000)

    def batch(self, line: Line, *, with_peer: bool = True) -> Batch | None:
        """The request on that line as a receiver would hand it on; None if a receiver would refuse it."""
        fields = line.fields
        try:
            body = unpacked(line)
            is_json = "json" in (fields.get("content_type") or "")
            signal = SIGNALS[fields["signal"]]
            parsed = jsonform.parse(body) if is_json else protobuf.parse(signal, body)
        except (ValueError, KeyError, OSError, EOFError, zlib.error, binascii.Error):
            return None
        pid = int((fields.get("peer") or {}).get("pid") or 0) if with_peer else 0
        peer = Peer("grpc" if fields.get("transport") == "grpc" else "http", pid=pid, comm=self._processes.get(pid, ""))
        return Batch(signal, "json" if is_json else "protobuf", parsed, self.at(line.t), peer)

    def meet(self, line: Line) -> None:
        """Remember the executable of a process that a line tells of."""
        pid, comm = line.fields.get("pid"), line.fields.get("comm")
        if isinstance(pid, int) and isinstance(comm, str):
            self._processes[pid] = comm


def unpacked(line: Line) -> bytes:
    """The body of a request without its compression."""
    body = line.body
    return gzip.decompress(body) if body.startswith(GZIP) else body


def read(path: Path) -> Tape:
    """The tape in that file, gzipped or not. Raises ValueError when it is none, OSError when it cannot be read."""
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode()
        lines = sorted((_line(row) for row in text.splitlines() if row.strip()), key=lambda line: line.t)
        head = next((line for line in lines if line.kind == "tape"), None)
        if head is None:
            raise ValueError("it has no line of kind 'tape'")
        epoch = (head.fields.get("epoch_ns") or 0) // 1000
        if not 0 <= epoch < 2**62:
            raise ValueError(f"no time: {epoch}")
    except (
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path}: not a tape: {error}") from None
    return Tape(str(head.fields.get("tool") or ""), epoch, [line for line in lines if line.kind != "tape"])


def _line(row: str) -> Line:
    fields = json.loads(row)
    for key, kind in _KINDS.items():
        if fields.get(key) is not None and not isinstance(fields[key], kind):
            raise ValueError(f"{key!r} of a line is {str(fields[key])[:40]!r}")
    t, pids = float(fields.get("t") or 0), (fields.get("pid"), (fields.get("peer") or {}).get("pid"))
    if not abs(t) <= LONGEST:
        raise ValueError(f"no time: {t}")
    if not all(pid is None or (isinstance(pid, int) and 0 <= pid < 2**31) for pid in pids):
        raise ValueError(f"no pid among {pids}")
    return Line(fields.get("kind") or "", t, fields)
