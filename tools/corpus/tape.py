"""What a tape itself tells, read without aimond's own decoders: who spoke when, which hooks ran, what exited."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# Event names and attribute keys as sent by Claude Code 2.0.76 and 2.1.330, Codex 0.80.0 and 0.169.0, Gemini CLI 0.21.3
# and 0.61.0.
_SESSION_KEYS: Final = ("session.id", "conversation.id", "gen_ai.conversation.id")
_HOOK_SESSION_KEYS: Final = ("session_id", "thread-id")
_KEYS: Final = frozenset({*_SESSION_KEYS, "event.name", "query_source", "approval_policy", "interactive"})

# A session that says one of these can never wait for its user: ``claude -p``, ``codex exec``, ``gemini -p``.
_NEVER_ASKS: Final = (("query_source", "sdk"), ("approval_policy", "never"), ("interactive", "false"))

_END_HOOKS: Final = frozenset({"Stop", "AfterAgent", "agent-turn-complete"})
_END_LOGS: Final = frozenset({"codex.agent_response", "gemini_cli.conversation_finished"})
_END_SPANS: Final = frozenset({"claude_code.interaction", "run_turn", "user_prompt"})

# Transcripts and exporters read their clocks at slightly different points of the same moment.
JITTER: Final = 0.05
# A turn's last records, spans and hooks come up to this long after its end.
_TAIL: Final = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """What a session said of itself at ``at``, received at ``arrived``: a log record, or a span that ends a turn."""

    arrived: float
    at: float
    name: str
    log: bool


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that ran for a session; ``asks`` when it says that the user is being asked."""

    t: float
    session: str
    event: str
    asks: bool


@dataclass(slots=True)
class Tape:
    """The facts of one tape, by session id; ``exits`` are the pids seen to exit."""

    words: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    hooks: list[Hook] = field(default_factory=list)
    exits: set[int] = field(default_factory=set)
    never_asks: set[str] = field(default_factory=set)

    def speaks_of(self, session: str) -> bool:
        """Whether a monitor could know of the session: a log record of its own, or a hook."""
        return any(word.log for word in self.words.get(session, ())) or any(h.session == session for h in self.hooks)

    def news_since(self, session: str, time: float) -> float | None:
        """When the first word said at or after ``time`` arrived, None when nothing more was said."""
        return min(
            (arrived for arrived, at in self._heard(session) if at >= time - JITTER),
            default=None,
        )

    def news_within(self, session: str, start: float, end: float) -> float | None:
        """When the last word said between two times arrived."""
        return max(
            (arrived for arrived, at in self._heard(session) if start - JITTER <= at <= end + _TAIL),
            default=None,
        )

    def tells_end(self, session: str, start: float, end: float) -> bool:
        """Whether the tape can tell that a turn is done rather than waiting for its user."""
        words = (word for word in self.words.get(session, ()) if start <= word.at <= end + _TAIL)
        hooks = (hook for hook in self.hooks if hook.session == session and end - JITTER <= hook.t <= end + _TAIL)
        return (
            session in self.never_asks
            or any(word.name in (_END_LOGS if word.log else _END_SPANS) for word in words)
            or any(hook.event in _END_HOOKS for hook in hooks)
        )

    def _heard(self, session: str) -> Iterator[tuple[float, float]]:
        yield from ((word.arrived, word.at) for word in self.words.get(session, ()))
        yield from ((hook.t, hook.t) for hook in self.hooks if hook.session == session)


def read(lines: Iterable[dict[str, Any]], *, only: str | None = None) -> Tape:
    """The facts in parsed tape lines. ``only="otlp"`` leaves out what does not come over the network."""
    tape, epoch = Tape(), 0.0
    for line in lines:
        kind = line["kind"]
        if kind == "tape":
            epoch = line["epoch_ns"] / 1e9
        elif kind == "otlp" and line["signal"] != "metrics":
            _listen(tape, line, epoch)
        elif kind == "hook" and only != "otlp":
            tape.hooks.append(_hook(line))
        elif kind == "process" and line["event"] == "exit" and only != "otlp":
            tape.exits.add(line["pid"])
    return tape


def _hook(line: dict[str, Any]) -> Hook:
    payload = line["payload"]
    session = next((payload[key] for key in _HOOK_SESSION_KEYS if key in payload), "")
    asks = line["event"] == "PermissionRequest" or payload.get("notification_type") in (
        "permission_prompt",
        "ToolPermission",
    )
    return Hook(line["t"], session, line["event"], asks)


def _listen(tape: Tape, line: dict[str, Any], epoch: float) -> None:
    body = base64.b64decode(line["body"])
    if line.get("content_encoding") == "gzip":
        body = gzip.decompress(body)
    log = line["signal"] == "logs"
    try:
        records = list(_from_json(body) if body[:1] == b"{" else (_logs if log else _spans)(body))
    except (ValueError, DecodeError):
        return
    for name, nanoseconds, attributes in records:
        session = next((attributes[key] for key in _SESSION_KEYS if attributes.get(key)), "")
        if not session:
            continue
        if any(attributes.get(key) == value for key, value in _NEVER_ASKS):
            tape.never_asks.add(session)
        name = attributes.get("event.name", name)
        if log or name in _END_SPANS:
            tape.words[session].append(Word(line["t"], nanoseconds / 1e9 - epoch, name, log))


_Spoken = tuple[str, int, dict[str, str]]


def _logs(body: bytes) -> Iterator[_Spoken]:
    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                # Codex 0.169.0 leaves time_unix_nano at 0.
                time = record.time_unix_nano or record.observed_time_unix_nano
                yield "", time, _attributes(record.attributes)


def _spans(body: bytes) -> Iterator[_Spoken]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if span.name in _END_SPANS:
                    yield span.name, span.end_time_unix_nano, _attributes(span.attributes)


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: _text(pair.value) for pair in pairs if pair.key in _KEYS}


def _text(value: Any) -> str:
    return str(value.bool_value).lower() if value.HasField("bool_value") else value.string_value


def _from_json(body: bytes) -> Iterator[_Spoken]:
    document = json.loads(body)
    for resource in (*document.get("resourceLogs", ()), *document.get("resourceSpans", ())):
        for scope in (*resource.get("scopeLogs", ()), *resource.get("scopeSpans", ())):
            for record in (*scope.get("logRecords", ()), *scope.get("spans", ())):
                times = (record.get(key) for key in ("endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano"))
                attributes = {
                    pair["key"]: _word(next(iter(pair["value"].values()), ""))
                    for pair in record.get("attributes", ())
                    if pair["key"] in _KEYS
                }
                yield record.get("name", ""), next((int(t) for t in times if t and int(t)), 0), attributes


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
