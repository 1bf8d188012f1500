"""OTLP/protobuf: bodies to messages, messages to records.

Parsing is C and costs next to nothing; what costs is every field that Python looks at. Only spans are so many, and so
seldom read, that they are not even parsed unless their name is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from aimond.otlp import isotime, shallow
from aimond.otlp.record import Attributes, Batch, LogsIgnored, Record, Signal, SpansWanted, Value, all_logs

_REQUESTS: Final[dict[Signal, Any]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_SCALARS: Final = frozenset({"string_value", "bool_value", "int_value", "double_value"})
_STATUS_ERROR: Final = 2  # opentelemetry.proto.trace.v1.Status.STATUS_CODE_ERROR
_SHORT: Final = 4096  # bytes of a sender's attributes; the longest seen are 1.2 kB
_CUMULATIVE: Final = 2  # opentelemetry.proto.metrics.v1.AGGREGATION_TEMPORALITY_CUMULATIVE


def parse(signal: Signal, body: bytes) -> Any:
    """The Export*ServiceRequest in the body, with spans as bytes. Raises ValueError when there is none; what is wrong
    within a span is found by who reads it."""
    return _parse(shallow.Traces if signal == "traces" else _REQUESTS[signal], signal, body)


def whole(signal: Signal, body: bytes) -> Any:
    """The same with everything parsed."""
    return _parse(_REQUESTS[signal], signal, body)


def _parse(kind: Any, signal: Signal, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ValueError(f"not an OTLP {signal} request: {error}") from None


def records(batch: Batch, spans_wanted: SpansWanted, logs_ignored: LogsIgnored = all_logs) -> Iterator[Record]:
    """The batch's log records, spans or metric points, in the order sent."""
    if batch.signal == "logs":
        return _logs(batch.parsed, logs_ignored)
    return (_spans if batch.signal == "traces" else _points)(batch.parsed, spans_wanted)


def sniff(body: bytes) -> tuple[Signal, Any] | None:
    """The signal and request of a body sent to no signal's path, None when it could be any or is none.

    The three share their outer shape, so the first log record, span or metric must decide: only a log record has 64
    fixed bits in its fields 1 or 11 (Codex 0.169.0 leaves out the first), only a span in field 7, and only a metric has
    text in field 1.
    """
    for signal, (path, is_one) in _PROOFS.items():
        try:
            innermost = next(_innermost(whole(signal, body), *path), None)
        except ValueError:
            continue
        if innermost is not None and is_one(innermost):
            return signal, parse(signal, body)
    return None


_PROOFS: Final[dict[Signal, tuple[tuple[str, str, str], Callable[[Any], bool]]]] = {
    "logs": (
        ("resource_logs", "scope_logs", "log_records"),
        lambda log: log.time_unix_nano > 0 or log.observed_time_unix_nano > 0,
    ),
    "traces": (("resource_spans", "scope_spans", "spans"), lambda span: span.start_time_unix_nano > 0),
    "metrics": (("resource_metrics", "scope_metrics", "metrics"), lambda metric: metric.name != ""),
}


def _innermost(message: Any, resources: str, scopes: str, items: str) -> Iterator[Any]:
    for of_resource in getattr(message, resources):
        for of_scope in getattr(of_resource, scopes):
            yield from getattr(of_scope, items)


def _logs(request: Any, logs_ignored: LogsIgnored) -> Iterator[Record]:
    for of_resource in request.resource_logs:
        resource = _sender(of_resource.resource)
        for of_scope in of_resource.scope_logs:
            scope = of_scope.scope.name
            ignored, place = logs_ignored(scope), 0
            for log in of_scope.log_records:
                name, place = _name(log.attributes, place)
                name = name or str(log.event_name)
                if name in ignored:
                    continue
                attributes = _attributes(log.attributes)
                at = (log.time_unix_nano or log.observed_time_unix_nano) // 1000
                at = at or isotime.microseconds(attributes.text("event.timestamp"))
                yield Record(
                    signal="logs",
                    scope=scope,
                    name=name,
                    at=at,
                    start=at,
                    attributes=attributes,
                    resource=resource,
                    trace=log.trace_id.hex(),
                    span=log.span_id.hex(),
                )


def _spans(request: Any, spans_wanted: SpansWanted) -> Iterator[Record]:
    for of_resource in request.resource_spans:
        resource = _sender(of_resource.resource)
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope.name
            for span in shallow.spans(of_scope.spans, spans_wanted(scope, resource)):
                yield Record(
                    signal="traces",
                    scope=scope,
                    name=span.name,
                    at=span.end_time_unix_nano // 1000,
                    start=span.start_time_unix_nano // 1000,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    error=span.status.code == _STATUS_ERROR,
                    status=span.status.message,
                )


def _points(request: Any, names_wanted: SpansWanted) -> Iterator[Record]:
    for of_resource in request.resource_metrics:
        resource = _sender(of_resource.resource)
        for of_scope in of_resource.scope_metrics:
            scope = of_scope.scope.name
            names = names_wanted(scope, resource) or ()
            for metric in (metric for metric in of_scope.metrics if metric.name in names):
                cumulative = metric.sum.aggregation_temporality == _CUMULATIVE
                for point in metric.sum.data_points:
                    yield Record(
                        signal="metrics",
                        scope=scope,
                        name=metric.name,
                        at=point.time_unix_nano // 1000,
                        start=point.start_time_unix_nano // 1000,
                        attributes=_attributes(point.attributes),
                        resource=resource,
                        number=point.as_double or point.as_int,
                        cumulative=cumulative,
                    )


def _name(attributes: Sequence[Any], guess: int) -> tuple[str, int]:
    """The ``event.name``, "" if there is none, and where it stands: mostly where it stood in the record before."""
    if guess < len(attributes) and (pair := attributes[guess]).key == "event.name":
        return pair.value.string_value, guess
    for place, pair in enumerate(attributes):
        if pair.key == "event.name":
            return pair.value.string_value, place
    return "", 0


def _sender(resource: Any) -> Attributes:
    """Its attributes, which come with each of its requests and are mostly the same: those are read once."""
    written = resource.SerializeToString()
    return _known_sender(written) if len(written) <= _SHORT else _attributes(resource.attributes)


@lru_cache(maxsize=64)
def _known_sender(written: bytes) -> Attributes:
    return _attributes(Resource.FromString(written).attributes)


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return Attributes({pair.key: pair for pair in pairs}, _value)


def _value(pair: Any) -> Value:
    value = pair.value
    text: str = value.string_value
    if text:  # as most are
        return text
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_scalar(element) for element in value.array_value.values)
    return getattr(value, kind) if kind in _SCALARS else None


def _scalar(value: Any) -> Value:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in _SCALARS else None
