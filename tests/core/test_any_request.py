"""Whatever a request says: understanding it raises nothing, and the sessions that are known live on."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aimond.agents.claude_code import telemetry as claude_code
from aimond.agents.codex import telemetry as codex
from aimond.agents.gemini_cli import telemetry as gemini_cli
from aimond.agents.genai import telemetry as genai
from aimond.core.turn import SECOND
from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Peer, Signal
from aimond.spine import Spine
from tests.core.story import us
from tests.recorded import PATHS, tape

anything = settings(
    max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
KNOWN = "known"
FRIEND, STRANGER = Peer("http"), Peer("grpc", pid=9, comm="node")
SIGNALS: tuple[Signal, ...] = ("logs", "traces", "metrics")

SCOPES = st.sampled_from(["com.anthropic.claude_code.events", "codex_otel", "gemini-cli", "anybody", ""])
NAMES = st.sampled_from(sorted({*claude_code.READERS, *codex.READERS, *gemini_cli.READERS, "", "x"}))
KEYS = """
    session.id conversation.id thread.id gen_ai.conversation.id event.sequence prompt prompt.id command_name model
    query_source agent_id duration_ms cost_usd input_tokens output_tokens cache_read_tokens cache_creation_tokens
    status_code error error.type tool_name tool_use_id call_id decision source success output event.kind event.timestamp
    http.response.status_code error.message input_token_count output_token_count cached_token_count duration
    cache_write_token_count reasoning_token_count thoughts_token_count tool_token_count cached_content_token_count role
    decision_model function_name interactive approval_mode approval_policy mcp_servers originator sandbox_policy
    hook_event is_async codex.turn.token_usage.total_tokens stop_reason query_source_safe command to_mode
    parent.conversation.id gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.response.model response_text
"""
IDS = st.sampled_from(["", "s", "s-0123456789", "\x00", "x" * 5000, "\ud83d", "é\n"])
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 10**30])
WORDS = st.sampled_from(
    [
        *("undefined", "NaN", "-inf", "1e400", "1e-999999", "9" * 4000, "[" * 4000),
        *('{"agent_id": "s"}', '{"agent_id": ["s"]}', "<task-notification>", "exit", "clear"),
        *("true", "accept", "reject", "user_reject", "response.completed"),
    ]
)
SCALARS = IDS | NUMBERS | WORDS | st.booleans() | st.floats()
NANOSECONDS = NUMBERS | st.integers(-50, 50).map(lambda seconds: us(seconds) * 1000)
OPERATIONS = st.sampled_from(sorted(genai.READERS))

ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS.split()), SCALARS, max_size=8)
RECORD = st.fixed_dictionaries(
    {
        "scope": SCOPES,
        "name": NAMES,
        "at": NANOSECONDS,
        "start": NANOSECONDS,
        "session": IDS,
        "attributes": ATTRIBUTES,
        "operation": OPERATIONS,
        "pid": SCALARS,
        "failed": st.booleans(),
    }
)


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    ids = dict.fromkeys(("session.id", "conversation.id", "thread.id"), record["session"])
    named = {"event.name": record["name"], "gen_ai.operation.name": record["operation"]}
    return {**ids, **named, **record["attributes"]}


def as_json(signal: Signal, record: dict[str, Any]) -> dict[str, Any]:
    """The record as OTLP/JSON, with whatever its values are."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}

    def pairs(values: dict[str, Any]) -> list[Any]:
        return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]

    said = {"attributes": pairs(attributes(record)), "traceId": "AB", "spanId": record["name"]}
    resource = {"attributes": pairs({"service.name": "codex", "process.pid": record["pid"]})}
    if signal == "logs":
        log = {**said, "timeUnixNano": record["at"]}
        scope = {"scope": {"name": record["scope"]}, "logRecords": [log]}
        return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}
    times = {"startTimeUnixNano": str(record["start"]), "endTimeUnixNano": record["at"]}
    span = {**said, **times, "name": record["name"], "status": {"code": 2 * record["failed"]}}
    scope = {"scope": {"name": record["scope"]}, "spans": [span]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def as_protobuf(signal: Signal, record: dict[str, Any]) -> Any:
    """The record as a message, with what fits into one."""
    request = ExportLogsServiceRequest() if signal == "logs" else ExportTraceServiceRequest()
    resources = request.resource_logs if signal == "logs" else request.resource_spans
    of_resource = resources.add()
    fill(of_resource.resource.attributes, {"service.name": "codex", "process.pid": record["pid"]})
    scopes = of_resource.scope_logs if signal == "logs" else of_resource.scope_spans
    of_scope = scopes.add()
    of_scope.scope.name = record["scope"]
    one = (of_scope.log_records if signal == "logs" else of_scope.spans).add()
    fill(one.attributes, attributes(record))
    one.trace_id, one.span_id = b"\xab", record["name"].encode()
    if signal == "logs":
        one.time_unix_nano = record["at"] % 2**64
    else:
        one.name, one.status.code = record["name"], 2 * record["failed"]
        one.start_time_unix_nano, one.end_time_unix_nano = record["start"] % 2**64, record["at"] % 2**64
    return request


def fill(pairs: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        holder = pairs.add(key=key).value
        match value:
            case bool():
                holder.bool_value = value
            case int():
                holder.int_value = (value + 2**63) % 2**64 - 2**63
            case float():
                holder.double_value = value
            case str():
                holder.string_value = value.encode(errors="replace").decode()


class Daemon:
    """A spine that knows one session, which works."""

    def __init__(self) -> None:
        self.now = us(0)
        self.spine = Spine()
        self.take(self.said("user_prompt"), "json", "logs", FRIEND)

    def said(self, name: str, **more: Any) -> dict[str, Any]:
        record = {"scope": "com.anthropic.claude_code.events", "name": name, "at": self.now * 1000, "session": KNOWN}
        return as_json("logs", {**record, "operation": "", "pid": 0, "attributes": more})

    def take(self, parsed: Any, encoding: Any, signal: Signal, peer: Peer = STRANGER) -> None:
        self.now += SECOND
        self.spine.take(Batch(signal, encoding, parsed, self.now, peer))
        self.spine.tracker.tick(self.now)
        deadline = self.spine.tracker.deadline()
        assert deadline is None or deadline > self.now

    def lives_on(self) -> None:
        """The session that is known works on, and what it says is understood."""
        known = {shown.id: shown for shown in self.spine.tracker.snapshots()}[KNOWN]
        assert (known.state, known.turns) == ("working", 1)
        self.take(self.said("api_request", model="m", input_tokens="5", query_source="sdk"), "json", "logs", FRIEND)
        known = {shown.id: shown for shown in self.spine.tracker.snapshots()}[KNOWN]
        assert (known.model_calls, known.input_tokens) == (1, 5)


@anything
@given(st.lists(st.tuples(st.sampled_from(SIGNALS[:2]), st.booleans(), RECORD), max_size=6))
def test_records_with_absurd_values(sent: list[tuple[Signal, bool, dict[str, Any]]]) -> None:
    daemon = Daemon()
    for signal, is_json, record in sent:
        if is_json:
            daemon.take(as_json(signal, record), "json", signal)
        else:
            body = as_protobuf(signal, record).SerializeToString()
            daemon.take(protobuf.parse(signal, body), "protobuf", signal)
    daemon.lives_on()


REQUESTS = st.sampled_from(["resourceLogs", "resourceSpans", "resourceMetrics"])
WITHIN = """
    resourceLogs resourceSpans scopeLogs scopeSpans logRecords spans resource scope attributes key value stringValue
    intValue arrayValue values name status code timeUnixNano traceId
"""
JUNK = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WITHIN.split()), inner, max_size=4),
    max_leaves=20,
)


@anything
@given(st.lists(st.tuples(st.sampled_from(SIGNALS), st.dictionaries(st.text(max_size=3) | REQUESTS, JUNK))))
def test_any_json_object(sent: list[tuple[Signal, dict[str, Any]]]) -> None:
    daemon = Daemon()
    for signal, parsed in sent:
        daemon.take(parsed, "json", signal)
    daemon.lives_on()


@anything
@given(st.data())
def test_a_recorded_request_with_a_part_of_it_spoilt(data: st.DataObject) -> None:
    """Bytes of real requests changed, or taken for another signal's: what still decodes raises nothing."""
    played = tape(data.draw(st.sampled_from(PATHS)))
    line = data.draw(st.sampled_from([line for line in played.lines if line.kind == "otlp"]))
    batch = played.batch(line, with_peer=False)
    assert batch is not None
    is_json = batch.encoding == "json"
    daemon = Daemon()
    body = bytearray(line.body if is_json else batch.parsed.SerializeToString())
    for _ in range(data.draw(st.integers(0, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    signal = data.draw(st.sampled_from(SIGNALS))
    try:
        parsed = jsonform.parse(bytes(body)) if is_json else protobuf.parse(signal, bytes(body))
    except (ValueError, DecodeError):
        return
    daemon.take(parsed, batch.encoding, signal)
    daemon.lives_on()
