"""Requests to send: recorded ones, and small ones made here."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aimond.otlp.record import Encoding, Record, Signal

TAPES = Path(__file__).parents[1] / "tapes"
SECOND = 1_000_000_000
SIGNALS: tuple[Signal, ...] = ("logs", "traces", "metrics")
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


class Recorded(NamedTuple):
    """One body as a CLI sent it, unpacked."""

    tape: str
    signal: Signal
    encoding: Encoding
    body: bytes


@cache
def recorded() -> tuple[Recorded, ...]:
    """Every body of every tape."""
    found = tuple(_recorded())
    assert found, "tests/tapes is empty"
    return found


def _recorded() -> Iterator[Recorded]:
    for tape in sorted(TAPES.glob("**/*.tape.jsonl.gz")):
        with gzip.open(tape, "rt") as lines:
            for line in map(json.loads, lines):
                if line["kind"] == "otlp":
                    body = b64decode(line["body"])
                    encoding: Encoding = "json" if "json" in line["content_type"] else "protobuf"
                    body = gzip.decompress(body) if line["content_encoding"] else body
                    yield Recorded(str(tape.relative_to(TAPES)), line["signal"], encoding, body)


def attributes(**values: AnyValue) -> list[KeyValue]:
    return [KeyValue(key=key.replace("_", "."), value=value) for key, value in values.items()]


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


RESOURCE = Resource(attributes=attributes(service_name=text("agent")))
SCOPE = InstrumentationScope(name="scope")
LOG = LogRecord(time_unix_nano=2 * SECOND, attributes=attributes(event_name=text("said")))
SPAN = Span(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, name="work", start_time_unix_nano=SECOND)
POINT = NumberDataPoint(as_int=7, time_unix_nano=SECOND, attributes=attributes(type=text("input")))
METRIC = Metric(name="tokens", sum=Sum(data_points=[POINT]))


def logs(*records: LogRecord) -> ExportLogsServiceRequest:
    of_scope = ScopeLogs(scope=SCOPE, log_records=records or [LOG])
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=RESOURCE, scope_logs=[of_scope])])


def traces(*spans: Span) -> ExportTraceServiceRequest:
    of_scope = ScopeSpans(scope=SCOPE, spans=spans or [SPAN])
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=RESOURCE, scope_spans=[of_scope])])


def metrics() -> ExportMetricsServiceRequest:
    of_scope = ScopeMetrics(scope=SCOPE, metrics=[METRIC])
    return ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=RESOURCE, scope_metrics=[of_scope])])


def failed_span() -> Span:
    span = Span(parent_span_id=b"\xef" * 8, end_time_unix_nano=3 * SECOND, status=Status(code=2, message="overloaded"))
    span.MergeFrom(SPAN)
    return span


def request(signal: Signal) -> Any:
    return {"logs": logs, "traces": traces, "metrics": metrics}[signal]()


def body(signal: Signal, encoding: Encoding) -> bytes:
    message = request(signal)
    return message.SerializeToString() if encoding == "protobuf" else json.dumps(as_json(message)).encode()


def as_json(message: Any) -> dict[str, Any]:
    """OTLP/JSON of a request, by protobuf's own mapping and OTLP's exception from it: ids are hex."""
    return _hex_ids(MessageToDict(message, use_integers_for_enums=True))


def _hex_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_hex_ids(element) for element in node]
    if not isinstance(node, dict):
        return node
    return {key: b64decode(value).hex() if key in _IDS else _hex_ids(value) for key, value in node.items()}


_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def plain(record: Record) -> dict[str, Any]:
    """A record that compares by value: with all its attributes read."""
    fields = {name: getattr(record, name) for name in record.__slots__}
    for name in ("attributes", "resource"):
        fields[name] = {key: fields[name].get(key) for key in fields[name]}
    return fields


def large_logs(size: int) -> bytes:
    """A logs request of about this many bytes."""
    filler = b64encode(bytes(range(256)) * 30).decode()  # about 10 KiB that gzip cannot make vanish
    return logs(*[LogRecord(time_unix_nano=SECOND, body=text(filler))] * (size // len(filler))).SerializeToString()
