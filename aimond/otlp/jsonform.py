"""OTLP/JSON: bodies to documents, documents to records.

OTLP has its own mapping of protobuf to JSON: ids are hex, not base64, and 64-bit integers are strings or numbers
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). A value of an unexpected type reads as absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from aimond.otlp import isotime
from aimond.otlp.record import Attributes, Batch, LogsIgnored, Record, Signal, SpansWanted, Value, all_logs

_SIGNALS: Final[dict[str, Signal]] = {"resourceLogs": "logs", "resourceSpans": "traces", "resourceMetrics": "metrics"}
_STATUS_ERROR: Final = frozenset({2, "STATUS_CODE_ERROR"})
_CUMULATIVE: Final = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises ValueError when there is none."""
    try:
        document = msgspec.json.decode(body)  # in half the time of json (0.22), which takes what this refuses
    except (msgspec.DecodeError, ValueError, RecursionError):
        document = _leniently(body)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _leniently(body: bytes) -> Any:
    """NaN, numbers beyond all measure and halves of surrogate pairs too. Raises ValueError."""
    try:
        document = json.loads(body.decode())
        # JavaScript cuts strings inside a surrogate pair and writes the half as \ud83d, which no UTF-8 can hold.
        if b"\\ud" in body or b"\\uD" in body:
            document = json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def signal_of(document: dict[str, Any]) -> Signal | None:
    """Which signal the document carries, None when it carries none (an empty request says nothing)."""
    return next((signal for key, signal in _SIGNALS.items() if key in document), None)


def records(batch: Batch, spans_wanted: SpansWanted, logs_ignored: LogsIgnored = all_logs) -> Iterator[Record]:
    """The batch's log records, spans or metric points, in the order sent."""
    if batch.signal == "logs":
        return _logs(batch.parsed, logs_ignored)
    return (_spans if batch.signal == "traces" else _points)(batch.parsed, spans_wanted)


def _logs(request: dict[str, Any], logs_ignored: LogsIgnored) -> Iterator[Record]:
    for of_resource in _objects(request, "resourceLogs"):
        resource = _attributes(_object(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeLogs"):
            scope = _text(_object(of_scope, "scope"), "name")
            ignored = logs_ignored(scope)
            for log in _objects(of_scope, "logRecords"):
                attributes = _attributes(log)
                name = attributes.text("event.name") or _text(log, "eventName")
                if name in ignored:
                    continue
                at = _time(log, "timeUnixNano") or _time(log, "observedTimeUnixNano")
                at = at or isotime.microseconds(attributes.text("event.timestamp"))
                yield Record(
                    signal="logs",
                    scope=scope,
                    name=name,
                    at=at,
                    start=at,
                    attributes=attributes,
                    resource=resource,
                    trace=_text(log, "traceId").lower(),
                    span=_text(log, "spanId").lower(),
                )


def _spans(request: dict[str, Any], spans_wanted: SpansWanted) -> Iterator[Record]:
    for of_resource in _objects(request, "resourceSpans"):
        resource = _attributes(_object(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeSpans"):
            scope = _text(_object(of_scope, "scope"), "name")
            names = spans_wanted(scope, resource)
            for span in _objects(of_scope, "spans"):
                name = _text(span, "name")
                if names is not None and name not in names:
                    continue
                status = _object(span, "status")
                yield Record(
                    signal="traces",
                    scope=scope,
                    name=name,
                    at=_time(span, "endTimeUnixNano"),
                    start=_time(span, "startTimeUnixNano"),
                    attributes=_attributes(span),
                    resource=resource,
                    trace=_text(span, "traceId").lower(),
                    span=_text(span, "spanId").lower(),
                    parent=_text(span, "parentSpanId").lower(),
                    error=_is_error(status.get("code")),
                    status=_text(status, "message"),
                )


def _points(request: dict[str, Any], names_wanted: SpansWanted) -> Iterator[Record]:
    for of_resource in _objects(request, "resourceMetrics"):
        resource = _attributes(_object(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeMetrics"):
            scope = _text(_object(of_scope, "scope"), "name")
            names = names_wanted(scope, resource)
            for metric in _objects(of_scope, "metrics") if names else ():
                name, counter = _text(metric, "name"), _object(metric, "sum")
                cumulative = counter.get("aggregationTemporality") in _CUMULATIVE
                for point in _objects(counter, "dataPoints") if names and name in names else ():
                    yield Record(
                        signal="metrics",
                        scope=scope,
                        name=name,
                        at=_time(point, "timeUnixNano"),
                        start=_time(point, "startTimeUnixNano"),
                        attributes=_attributes(point),
                        resource=resource,
                        number=_real(point.get("asDouble", point.get("asInt"))) or 0.0,
                        cumulative=cumulative,
                    )


def _objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = parent.get(key)
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(parent: dict[str, Any], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def _time(parent: dict[str, Any], key: str) -> int:
    nanoseconds = _integer(parent.get(key))
    return nanoseconds // 1000 if nanoseconds is not None and nanoseconds > 0 else 0


def _is_error(code: Any) -> bool:
    return isinstance(code, int | str) and code in _STATUS_ERROR


def _attributes(holder: dict[str, Any]) -> Attributes:
    pairs = _objects(holder, "attributes")
    return Attributes({pair["key"]: pair.get("value") for pair in pairs if isinstance(pair.get("key"), str)}, _value)


def _value(value: Any) -> Value:
    return _read(value, _KINDS)


def _read(value: Any, kinds: dict[str, Callable[[Any], Value]]) -> Value:
    if not isinstance(value, dict):
        return None
    return next((kinds[kind](content) for kind, content in value.items() if kind in kinds), None)


def _array(value: Any) -> Value:
    elements = value.get("values") if isinstance(value, dict) else None
    return tuple(_read(element, _SCALARS) for element in elements) if isinstance(elements, list) else ()


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


_SCALARS: Final[dict[str, Callable[[Any], Value]]] = {
    "stringValue": lambda value: value if isinstance(value, str) else None,
    "boolValue": lambda value: value if isinstance(value, bool) else None,
    "intValue": _integer,
    "doubleValue": _real,
}
_KINDS: Final[dict[str, Callable[[Any], Value]]] = {**_SCALARS, "arrayValue": _array}
