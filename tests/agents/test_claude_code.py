"""Claude Code's records, with all their quirks, and what they mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from aimond.core import event as ev
from aimond.otlp.record import Record
from tests.agents.saying import NOW, SESSION, events, log, span, told

NAME = "claude-code"
COUNTED = "usage=input:12,cache_read:3000,cache_write:1500,output:25"
CALL = {"model": "opus", "input_tokens": 12, "cache_read_tokens": 3000, "cache_creation_tokens": 1500}
CALL |= {"output_tokens": 25, "cost_usd": 0.008648, "duration_ms": 161}
AS_TEXT = {key: str(value) for key, value in CALL.items()}
SUB = {"agent_id": "sub", "query_source": "agent:builtin:general-purpose"}
TOOL = {"tool_use_id": "c", "tool_name": "Bash"}
DETAIL = "SessionDetail title=Claude Code shows=True"
CUT = "TurnFinished outcome=interrupted weak=True"

LOGS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a prompt", "user_prompt", {"prompt.id": "p"}, [DETAIL, "PromptSubmitted turn=p"]),
    ("a redacted prompt", "user_prompt", {"prompt": "<REDACTED>"}, [DETAIL, "PromptSubmitted"]),
    (
        "a sub-agent's result wakes it",
        "user_prompt",
        {"prompt": "<task-notification>x"},
        [DETAIL, "PromptSubmitted synthetic=True"],
    ),
    ("/help is no turn", "user_prompt", {"command_name": "help"}, [DETAIL]),
    ("/exit", "user_prompt", {"command_name": "exit"}, [DETAIL, "SessionEnded"]),
    ("/clear", "user_prompt", {"command_name": "clear"}, [DETAIL, "SessionEnded reason=replaced"]),
    ("start-up records show no session", "managed_settings_resolved", {}, ["SessionDetail title=Claude Code"]),
    (
        "a call in a terminal",
        "api_request",
        {**CALL, "query_source": "repl_main_thread"},
        [f"ModelCallFinished model=opus started=-161ms {COUNTED} cost=0.008648 asks=True provider=anthropic"],
    ),
    (
        "a call of -p, its numbers as text",
        "api_request",
        {**AS_TEXT, "query_source": "sdk"},
        [f"ModelCallFinished model=opus started=-161ms {COUNTED} cost=0.008648 asks=False provider=anthropic"],
    ),
    (
        "a helper's call",
        "api_request",
        {**CALL, "query_source": "compact"},
        [f"ModelCallFinished model=opus started=-161ms main=False {COUNTED} cost=0.008648 provider=anthropic"],
    ),
    (
        "a sub-agent's call",
        "api_request",
        {**CALL, **SUB},
        [
            "BackgroundStarted task=sub",
            f"ModelCallFinished model=opus started=-161ms main=False {COUNTED} cost=0.008648 provider=anthropic",
        ],
    ),
    (
        "2.0.76 does not say what a call is for",
        "api_request",
        AS_TEXT,
        [
            "SessionDetail main_model=opus",
            f"ModelCallFinished model=opus started=-161ms main=None {COUNTED} cost=0.008648 provider=anthropic",
        ],
    ),
    (
        "2.0.76's helpers are haiku",
        "api_request",
        {"model": "claude-haiku-4-5"},
        ["ModelCallFinished model=claude-haiku-4-5 started=0ms main=None usage= provider=anthropic"],
    ),
    (
        "numbers that are none",
        "api_request",
        {"model": "m", "input_tokens": "undefined", "output_tokens": "-3", "cost_usd": "NaN", "query_source": "x"},
        ["ModelCallFinished model=m started=0ms main=False usage= provider=anthropic"],
    ),
    (
        "a given-up call",
        "api_error",
        {"status_code": 429, "error": "mock 429", "query_source": "sdk"},
        ["ModelCallFailed error_class=rate_limit message=HTTP 429 final=True"],
    ),
    (
        "no answer at all",
        "api_error",
        {"error": "Connection error.", "query_source": "sdk"},
        ["ModelCallFailed message=no answer final=True"],
    ),
    (
        "the overloaded server",
        "api_error",
        {"status_code": "529", "query_source": "sdk"},
        ["ModelCallFailed error_class=server message=HTTP 529 final=True"],
    ),
    (
        "2.0.76 logs Esc as an error",
        "api_error",
        {"status_code": "undefined", "error": "Request was aborted."},
        ["ModelCallFailed main=None message=no answer final=True aborted=True", CUT],
    ),
    ("an allowed tool", "tool_decision", {**TOOL, "decision": "accept"}, ["ToolStarted call=c name=Bash"]),
    (
        "a tool its user refused",
        "tool_decision",
        {**TOOL, "decision": "reject", "source": "user_reject"},
        ["ToolFinished call=c name=Bash started=0ms", CUT],
    ),
    (
        "a tool that 2.0.76's user refused",
        "tool_decision",
        {**TOOL, "decision": "reject", "source": "user_abort"},
        ["ToolFinished call=c name=Bash started=0ms", CUT],
    ),
    (
        "a tool that the settings refused",
        "tool_decision",
        {**TOOL, "decision": "reject", "source": "config"},
        ["ToolFinished call=c name=Bash started=0ms"],
    ),
    ("a sub-agent's tool", "tool_decision", {**TOOL, **SUB, "decision": "accept"}, ["BackgroundStarted task=sub"]),
    (
        "a tool that ran, its time as text",
        "tool_result",
        {**TOOL, "duration_ms": "219", "success": "false"},
        ["ToolFinished call=c name=Bash started=-219ms"],
    ),
    ("a sub-agent's tool that ran", "tool_result", {**TOOL, **SUB}, []),
    (
        "a sub-agent is done",
        "subagent_completed",
        {"agent_id": "sub", "is_async": True},
        ["BackgroundFinished task=sub wakes=True"],
    ),
    (
        "a sub-agent that was waited for",
        "subagent_completed",
        {"agent_id": "sub", "is_async": "false"},
        ["BackgroundFinished task=sub"],
    ),
    (
        "the user's Stop hook ran",
        "hook_execution_start",
        {"hook_event": "Stop"},
        ["TurnFinished outcome=completed weak=True"],
    ),
    ("another hook ran", "hook_execution_start", {"hook_event": "PreToolUse"}, []),
    ("unread", "assistant_response", {"response": "one"}, []),
    ("unheard of", "novelty", {}, []),
]
SPANS: list[tuple[str, str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a turn", "claude_code.interaction", {}, {}, ["TurnFinished started=-500ms claim=5555555555555555"]),
    (
        "an answer",
        "claude_code.llm_request",
        {"model": "m", "stop_reason": "end_turn", "query_source_safe": "sdk"},
        {},
        ["ModelCallFinished model=m started=-500ms"],
    ),
    (
        "an answer that asks for a tool",
        "claude_code.llm_request",
        {"model": "m", "stop_reason": "tool_use"},
        {},
        ["ModelCallFinished model=m started=-500ms ends=False"],
    ),
    ("a helper's answer", "claude_code.llm_request", {"query_source_safe": "compact"}, {}, []),
    ("a failed call", "claude_code.llm_request", {}, {"error": True}, []),
    ("a sub-agent's call", "claude_code.llm_request", {"agent_id": "sub"}, {}, ["BackgroundStarted task=sub"]),
    ("a tool", "claude_code.tool", TOOL, {}, ["ToolFinished call=c name=Bash started=-500ms"]),
    ("a part of a tool", "claude_code.tool.execution", TOOL, {}, []),
]


@pytest.mark.parametrize(("name", "said", "expected"), [row[1:] for row in LOGS], ids=[row[0] for row in LOGS])
def test_a_log_record(name: str, said: dict[str, Any], expected: list[str]) -> None:
    assert told(NAME, log(name, {"session.id": SESSION, **said})) == expected


@pytest.mark.parametrize(("name", "said", "more", "expected"), [r[1:] for r in SPANS], ids=[r[0] for r in SPANS])
def test_a_span(name: str, said: dict[str, Any], more: dict[str, Any], expected: list[str]) -> None:
    assert told(NAME, span(name, {"session.id": SESSION, **said}, **more)) == expected


@pytest.mark.parametrize("name", [row[1] for row in LOGS])
def test_without_a_session_id_nothing_is_said(name: str) -> None:
    """OTEL_METRICS_INCLUDE_SESSION_ID=false takes it from logs and spans too."""
    assert told(NAME, log(name, {"agent_id": "sub", **TOOL, **CALL})) == []


def test_what_is_common_to_all_events() -> None:
    (event,) = events(NAME, log("tool_result", {"session.id": SESSION, **TOOL}), pid=7)
    assert (event.agent, event.session, event.pid, event.source, event.record) == (
        NAME,
        SESSION,
        7,
        "log",
        "tool_result",
    )


def test_a_prompt_within_spans_tells_its_trace() -> None:
    assert "PromptSubmitted trace=ab" in told(NAME, log("user_prompt", {"session.id": SESSION}, trace="ab"))


def test_the_same_sequence_number_in_another_process_is_another_event() -> None:
    """``event.sequence`` begins anew with a resumed process."""
    said = {"session.id": SESSION, "event.sequence": 1, **TOOL}
    first, second = log("tool_result", said), log("tool_result", {**said, "tool_use_id": "d"})
    assert events(NAME, first)[0].key == events(NAME, first)[0].key != events(NAME, second)[0].key


def test_2_0_76_has_its_session_metric_in_terminals_only() -> None:
    said = {"session.id": SESSION}
    assert "asks=True" in told(NAME, log("claude_code.session.count", said, {"service.version": "2.0.76"}))[0]
    assert "asks" not in told(NAME, log("claude_code.session.count", said, {"service.version": "2.1.330"}))[0]
    shown = log("claude_code.session.count", {**said, "start_type": "fresh"})
    ghost = log("claude_code.session.count", {**said, "start_type": "continue"})
    assert ("shows=True" in told(NAME, shown)[0], "shows=True" in told(NAME, ghost)[0]) == (True, False)


COUNTER: dict[str, Any] = {"session.id": SESSION, "model": "claude-opus-5-5", "query_source": "main"}


def point(name: str, number: float, said: dict[str, Any], *, cumulative: bool = False, at: int = 0) -> Record:
    return replace(
        log(f"claude_code.{name}", {**COUNTER, **said}),
        signal="metrics",
        number=number,
        cumulative=cumulative,
        start=NOW - 60_000_000,
        at=NOW + at,
    )


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("input", "input"), ("output", "output"), ("cacheRead", "cache_read"), ("cacheCreation", "cache_write")],
)
def test_a_counter_of_tokens(type_: str, kind: str) -> None:
    began = NOW - 60_000_000
    assert told(NAME, point("token.usage", 12.0, {"type": type_})) == [
        f"UsageMeasured model=claude-opus-5-5 kind={kind} amount=12.0 provider=anthropic series=main||| began={began}"
    ]


def test_a_counter_of_dollars_and_the_mark_of_a_long_context() -> None:
    (event,) = events(NAME, point("cost.usage", 0.0069359999999999995, {"model": "claude-sonnet-4-5[1m]"}))
    assert isinstance(event, ev.UsageMeasured)
    assert (event.kind, event.model, event.amount) == ("cost", "claude-sonnet-4-5", Decimal("0.0069359999999999995"))


@pytest.mark.parametrize(("number", "type_"), [(0, "input"), (-1, "input"), (1e300, "input"), (1, "x")])
def test_a_counter_of_nothing_or_of_what_nobody_knows(number: float, type_: str) -> None:
    assert told(NAME, point("token.usage", number, {"type": type_})) == []


def test_a_point_is_known_again() -> None:
    said = {"type": "input"}
    keys = [events(NAME, point("token.usage", 5, said, at=at))[0].key for at in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]
    assert events(NAME, point("token.usage", 5, said, cumulative=True))[0].key not in keys


def test_one_hour_writes_are_told_apart_and_the_fast_mode_and_who_is_paid() -> None:
    said = {**CALL, "session.id": SESSION, "cache_creation_1h_tokens": 1400, "speed": "fast"}
    event = events(NAME, log("api_request", {**said, "query_source": "sdk", "anthropic.provider": "bedrock"}))[-1]
    assert isinstance(event, ev.ModelCallFinished)
    assert event.usage
    assert (event.usage.cache_write, event.usage.cache_write_1h) == (1500, 1400)
    assert (event.fast, event.provider) == (True, "aws")
