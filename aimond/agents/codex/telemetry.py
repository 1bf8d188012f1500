"""Codex CLI's log records and spans as events. Seen in 0.80.0 and 0.169.0.

``event.name`` tells the record (EventName changes with every release), ``conversation.id`` the session; log records
have no time of their own, only an observed one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from aimond.agents.agent import SOURCES, count, dollars, error_class, error_text, micros, word
from aimond.agents.payload import clean
from aimond.core import event as ev
from aimond.core.books import key_of
from aimond.core.usage import Usage
from aimond.otlp.record import Record

NAME: Final = "codex"
TITLE: Final = "Codex CLI"

# One background process for the sessions of all terminals: its pid is nobody's, but tells its
# sessions from those of another one, as each CODEX_HOME has (0.169.0).
SHARED_DAEMON: Final = "codex-app-server"
# What a terminal of that daemon still says itself: one nameless record per prompt that is typed into it (0.169.0).
TERMINAL_SCOPE: Final = "codex_otel::events::session_telemetry"
TURN_SPAN: Final = "session_task.turn"
# Whoever serves it (``provider_name`` is the user's own word): the models are OpenAI's, else their name tells whose.
PROVIDER: Final = "openai"


def events(record: Record, pid: int) -> Iterator[ev.Event]:
    """What one record says."""
    if record.scope == TERMINAL_SCOPE and "event.name" not in record.attributes:
        if pid:
            yield ev.UserActed(agent=NAME, session="", at=record.at, source=SOURCES[record.signal], pid=pid)
        return
    key = "thread.id" if record.signal == "traces" else "conversation.id"
    read = READERS.get(record.name)
    session = word(record.attributes, key) if read else ""
    if len(session) < _ID or read is None:
        return
    common = {
        "agent": NAME,
        "session": session,
        "at": record.at,
        "source": SOURCES[record.signal],
        "record": record.name,
        "pid": 0 if record.resource.text("service.name") == SHARED_DAEMON else pid,
    }
    if read is _user_prompt:
        common["teller"] = pid
    yield from read(record, common)


# ``thread.id`` of most spans is the number of an operating system's thread.
_ID: Final = 8


def _key(record: Record, *more: str) -> str:
    return ":".join((record.name, str(record.at), *more))


def _conversation_starts(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """A conversation opens, or is resumed. The terminal's own title threads look like it but for two fields
    (0.169.0)."""
    attributes = record.attributes
    servers = attributes.text("mcp_servers").split(",")
    hidden = (
        attributes.text("originator") == "codex-tui"
        and "codex_tui" not in servers
        and attributes.text("sandbox_policy") == "read-only"
    )
    yield ev.SessionDetail(
        **common,
        title=TITLE,
        model=word(attributes, "model"),
        version=word(attributes, "app.version") or word(record.resource, "service.version"),
        host=word(record.resource, "host.name"),
        asks=attributes.text("approval_policy") != "never",
        hidden=hidden,
        shows=not hidden,
    )


def _user_prompt(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.PromptSubmitted(**common, key=_key(record), trace=record.trace)


def _request(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """A request that was sent (WebSocket) or whose answer has begun (HTTP), or an attempt that failed."""
    attributes = record.attributes
    status, message = attributes.integer("http.response.status_code"), attributes.text("error.message")
    if message or (status or 0) >= 400 or attributes.flag("success") is False:
        yield _failed(record, common, error_class(status), error_text(status))
    else:
        yield ev.ModelCallStarted(**common, model=word(attributes, "model"))


def _failed(record: Record, common: dict[str, Any], kind: str, text: str) -> ev.ModelCallFailed:
    return ev.ModelCallFailed(
        **common,
        key=_key(record),
        model=word(record.attributes, "model"),
        error_class=kind,
        message=text,
    )


def _sse_event(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """``response.completed`` comes twice over HTTP: once with a duration, once with tokens. Only the latter counts,
    unless all its numbers are zero (the warm-up of a WebSocket). A broken stream says ``error.message``."""
    attributes = record.attributes
    kind = attributes.text("event.kind")
    if kind not in ("", "response.completed"):
        return
    if "error.message" in attributes:
        yield _failed(record, common, "server", "the answer broke off")
        return
    whole, output = attributes.integer("input_token_count"), count(attributes, "output_token_count")
    if whole is None or whole + output == 0:
        return
    cached, written = count(attributes, "cached_token_count"), count(attributes, "cache_write_token_count")
    model = word(attributes, "model")
    yield ev.ModelCallFinished(
        **common,
        key=_key(record, model, str(whole), str(output)),
        model=model,
        provider=PROVIDER,
        usage=Usage(
            input=max(0, whole - cached - written),
            cache_read=cached,
            cache_write=written,
            output=output,
            reasoning=count(attributes, "reasoning_token_count"),
        ),
    )


def _tool_decision(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    call, name = word(attributes, "call_id"), word(attributes, "tool_name")
    if attributes.text("decision").startswith("approved"):
        asked = attributes.text("source") == "User" if "source" in attributes else None
        yield ev.ToolStarted(**common, key=_key(record, call), call=call, name=name, asked=asked)
    else:
        yield ev.ToolFinished(**common, key=_key(record, call), call=call, name=name, started=record.at)


def _tool_result(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    call, name = word(attributes, "call_id"), word(attributes, "tool_name")
    child = _spawned(attributes.text("output")) if name == "spawn_agent" else ""
    if child:
        yield ev.SessionDetail(**{**common, "session": child}, parent=common["session"])
    started = record.at - micros(attributes, "duration_ms")
    yield ev.ToolFinished(**common, key=_key(record, call), call=call, name=name, started=started)


def _spawned(output: str) -> str:
    """The id of the sub-agent's own thread, from what its ``spawn_agent`` gave back."""
    try:
        answer = json.loads(output) if len(output) < 4096 else None
    except (ValueError, RecursionError):
        return ""
    child = answer.get("agent_id") if isinstance(answer, dict) else None
    return clean(child) if isinstance(child, str) else ""


def _agent_response(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """The end of a turn that went well, if the user has ``log_agent_responses`` on (0.169.0)."""
    parent = word(record.attributes, "parent.conversation.id")
    if parent:
        yield ev.SessionDetail(**common, parent=parent)
    yield ev.TurnFinished(**common, outcome=ev.Outcome.COMPLETED, weak=True)


def _turn_cost(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """What a turn cost, up to 150 s after it, cut ones too; only where the API tells (0.169.0, API keys). Its id is a
    UUIDv7, whose first 48 bits are the ms when it was made."""
    attributes = record.attributes
    turn, cost = word(attributes, "turn.id"), dollars(attributes, "usage.estimated_usd")
    if turn and cost is not None:
        model, began = word(attributes, "model"), _made(turn) or record.at
        key = key_of(turn, began, record.at, cost, model)
        yield ev.TurnPriced(**common, key=key, turn=turn, began=began, cost=cost, model=model)


def _made(id_: str) -> int:
    digits = id_.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return 0
    try:
        return int(digits[:12], 16) * 1000
    except ValueError:
        return 0


def _turn_span(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """The exact end of a turn: sums of tokens if it went well, zeros if it failed, none if it was cut (0.169.0)."""
    attributes, prefix = record.attributes, "codex.turn.token_usage."
    tokens = attributes.integer(f"{prefix}total_tokens")
    outcome = ev.Outcome.INTERRUPTED
    if tokens is not None:
        outcome = ev.Outcome.COMPLETED if tokens else ev.Outcome.FAILED
    told = Usage(
        input=count(attributes, f"{prefix}non_cached_input_tokens"),
        cache_read=count(attributes, f"{prefix}cached_input_tokens"),
        cache_write=count(attributes, f"{prefix}cache_write_input_tokens"),
        output=count(attributes, f"{prefix}output_tokens"),
        reasoning=count(attributes, f"{prefix}reasoning_output_tokens"),
    )
    yield ev.TurnFinished(**common, outcome=outcome, started=record.start, claim=record.span, told=told or None)


READERS: Final[dict[str, Callable[[Record, dict[str, Any]], Iterator[ev.Event]]]] = {
    "codex.conversation_starts": _conversation_starts,
    "codex.user_prompt": _user_prompt,
    "codex.api_request": _request,
    "codex.websocket_request": _request,
    "codex.sse_event": _sse_event,
    "codex.tool_decision": _tool_decision,
    "codex.tool_result": _tool_result,
    "codex.agent_response": _agent_response,
    "codex.turn_cost": _turn_cost,
    TURN_SPAN: _turn_span,
}
