"""Requests as protobuf messages: parsed, and their records one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aimond.forward import apply, jsonbody
from aimond.otlp.record import Encoding, Signal

REQUESTS: Final[dict[Signal, Any]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_PATHS: Final = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


class Unreadable(ValueError):  # noqa: N818
    """What is there is no request; in words that quote nothing of it."""


def parsed(signal: Signal, encoding: Encoding, body: bytes) -> Any:
    """The request. Raises Unreadable when it is none."""
    message = REQUESTS[signal]()
    try:
        if encoding == "json":
            return jsonbody.into(message, json.loads(body))
        message.ParseFromString(body)
    except (ValueError, DecodeError, RecursionError) as error:
        raise Unreadable(f"a {signal} request cannot be read: {error}"[:200]) from None
    return message


def words(signal: Signal, error: Exception) -> str:
    """Why a request is not sent, without a word that may be of it."""
    return str(error) if isinstance(error, Unreadable) else f"a {signal} request: {type(error).__name__}"


def senders(signal: Signal, request: Any) -> Iterator[Any]:
    """Resources and scopes: who sent the records, and what in it."""
    of_resources, of_scopes, _ = _PATHS[signal]
    for of_resource in getattr(request, of_resources):
        yield of_resource.resource
        for of_scope in getattr(of_resource, of_scopes):
            yield of_scope.scope


def scopes(signal: Signal, request: Any) -> Iterator[tuple[str, Any]]:
    """Whose it is, "" if nobody's that is known, and each list of records."""
    of_resources, of_scopes, items = _PATHS[signal]
    for of_resource in getattr(request, of_resources):
        for of_scope in getattr(of_resource, of_scopes):
            yield apply.cli_of(of_scope.scope.name), getattr(of_scope, items)
