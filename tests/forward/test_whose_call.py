"""What spans of calls are told by other records, and by what happened in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aimond.core.usage import Usage
from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.normalize import Normalizer

REQUEST = "req_011CSHoEeqs5C35K2UUqR7Fy"
CALL = {"model": "claude-opus-4-8", "request_id": REQUEST, "input_tokens": 1, "output_tokens": 2}


def price(provider: str, model: str, usage: Usage, at: int, fast: bool) -> Decimal:
    return Decimal(7)


def filled(record: Any, attributes: dict[str, Any]) -> Attributes:
    found = Attributes(record.attributes)
    for key, value in attributes.items():
        found.set(key, value)
    return found


def told(session: str, cost: float) -> ExportLogsServiceRequest:
    """Claude Code's log record of a call."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.scope.name = "com.anthropic.claude_code.events"
    filled(scope.log_records.add(), {"event.name": "api_request", "session.id": session, "cost_usd": cost, **CALL})
    return request


def spanned(scope_name: str, name: str, attributes: dict[str, Any]) -> tuple[ExportTraceServiceRequest, Any]:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.scope.name = scope_name
    span = scope.spans.add(name=name)
    filled(span, attributes)
    return request, span


def test_a_price_is_of_the_same_session_though_requests_have_the_same_name() -> None:
    normalizer = Normalizer(price)
    spans = []
    for session, cost in (("one", 0.25), ("two", 0.5)):
        normalizer.read("logs", told(session, cost))
    for session in ("one", "two", "three"):
        attributes = {"session.id": session, **CALL}
        request, span = spanned("com.anthropic.claude_code.tracing", "claude_code.llm_request", attributes)
        normalizer.finish(normalizer.read("traces", request))
        spans.append(Attributes(span.attributes))
    assert [span.get(m.COST) for span in spans] == [0.25, 0.5, 7.0]
    assert [span.get(m.ESTIMATED) for span in spans] == [False, False, True]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [("500", "http 500", "server"), ("429", "http 429", "rate_limit"), ("401", "http 401", "auth")],
)
def test_an_attempt_of_codex_that_failed_is_told_on_the_span_around_it(status: str, message: str, kind: str) -> None:
    """As 0.169.0 sends it: the span ends well, for the next attempt was answered."""
    request, span = spanned("codex_exec", "endpoint_session.stream_encoded_json_with", {"http.method": "POST"})
    for number, said in enumerate(({"http.response.status_code": status, "error.message": message}, {})):
        event = span.events.add(name="event otel/src/events/session_telemetry.rs:803")
        told = {"event.name": "codex.api_request", "conversation.id": "abc", "model": "gpt-5.5"}
        filled(event, told | {"attempt": str(number), "http.response.status_code": "200", **said})
    normalizer = Normalizer(price)
    normalizer.finish(normalizer.read("traces", request))
    found = Attributes(span.attributes)
    assert [found.get(key) for key in (m.ERROR, m.SESSION, m.MODEL)] == [kind, "abc", "gpt-5.5"]
    assert m.COST not in found
