"""What an upstream's answer means, as OTLP has it (https://opentelemetry.io/docs/specs/otlp/, 1.7)."""

from __future__ import annotations

import email.utils
import time
from typing import Any, Final

from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from aimond.forward import wire
from aimond.otlp.record import Signal

RETRIED_HTTP: Final = frozenset({429, 502, 503, 504})  # #retryable-response-codes
# #failures: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
RETRIED_GRPC: Final = frozenset({1, 4, 10, 11, 14, 15})
RESOURCE_EXHAUSTED: Final = 8  # retried only with RetryInfo
LONGEST_WAIT: Final = 3600.0  # seconds that an upstream may ask for
_RESPONSES: Final[dict[Signal, tuple[Any, str]]] = {
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}


class Answer(Struct, frozen=True):
    """``accepted``, else whether to try ``again``, after ``wait`` seconds if the upstream says so. ``rejected`` are the
    records of an accepted request that it did not take; ``reason`` is for people."""

    accepted: bool = False
    again: bool = False
    wait: float = 0.0
    rejected: int = 0
    reason: str = ""


def of_http(signal: Signal, status: int, headers: dict[str, str], body: bytes) -> Answer:
    """``headers`` have lower-case names."""
    if 200 <= status < 300:
        return accepted(signal, body if "protobuf" in headers.get("content-type", "") else b"")
    is_protobuf = "protobuf" in headers.get("content-type", "")
    message = wire.status(body).message if is_protobuf else body[:400].decode(errors="replace")
    reason = f"HTTP {status} {plain(message)}".strip()
    if status in RETRIED_HTTP:
        return Answer(again=True, wait=_seconds(headers.get("retry-after", "")), reason=reason)
    return Answer(reason=reason)


def of_grpc(signal: Signal, code: int, message: str, details: bytes, body: bytes) -> Answer:
    """``details`` is a google.rpc.Status."""
    if code == 0:
        return accepted(signal, body)
    wait = wire.status(details).retry_after
    reason = f"gRPC status {code} {plain(message)}".strip()
    again = code in RETRIED_GRPC or (code == RESOURCE_EXHAUSTED and wait is not None)
    return Answer(again=again, wait=min(wait or 0.0, LONGEST_WAIT) if again else 0.0, reason=reason)


def accepted(signal: Signal, body: bytes) -> Answer:
    """What the Export*ServiceResponse says; what is none says nothing."""
    kind, field = _RESPONSES[signal]
    try:
        partial = kind.FromString(body).partial_success
    except DecodeError:
        return Answer(accepted=True)
    return Answer(accepted=True, rejected=max(0, getattr(partial, field)), reason=plain(partial.error_message))


def plain(text: str) -> str:
    """A stranger's words, short and on one line."""
    return "".join(each if each.isprintable() else " " for each in text[:200]).strip()


def _seconds(after: str) -> float:
    """Retry-After (RFC 9110, 10.2.3): seconds or a date; 0 if it is neither."""
    try:
        if after.strip().isdecimal():
            wait = float(after)
        else:
            wait = email.utils.parsedate_to_datetime(after).timestamp() - time.time()
    except (ValueError, TypeError):
        return 0.0
    return min(max(0.0, wait), LONGEST_WAIT)
