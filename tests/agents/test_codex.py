"""Codex CLI's records, with all their quirks, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from aimond.core.event import PromptSubmitted
from tests.agents.saying import NOW, SESSION, events, log, span, told

NAME = "codex"
CHILD = "01a20261-eac1-7cd3-8021-c66145f956b4"
SPOKEN = {"event.kind": "response.completed", "model": "gpt"}
COUNTS = {"input_token_count": "1000", "cached_token_count": 600, "output_token_count": "50"}
COUNTS |= {"reasoning_token_count": 20, "cache_write_token_count": 0}
ZEROES = dict.fromkeys(COUNTS, "0")
STARTS = {"model": "gpt", "app.version": "0.169.0", "mcp_servers": "", "sandbox_policy": "read-only"}
TOOL = {"call_id": "c", "tool_name": "exec_command"}
SPAWN = {"call_id": "c", "tool_name": "spawn_agent", "duration_ms": "30"}
SPAWNED = "ToolFinished call=c name=spawn_agent started=-30ms"
DETAIL = "SessionDetail model=gpt version=0.169.0 title=Codex CLI"
OK = {"http.response.status_code": "200", "model": "gpt"}

LOGS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    (
        "exec cannot ask",
        "conversation_starts",
        {**STARTS, "originator": "codex_exec", "approval_policy": "never"},
        [f"{DETAIL} asks=False shows=True"],
    ),
    (
        "a terminal",
        "conversation_starts",
        {**STARTS, "originator": "codex-tui", "mcp_servers": "codex_tui", "approval_policy": "on-request"},
        [f"{DETAIL} asks=True shows=True"],
    ),
    (
        "a terminal that may only read",
        "conversation_starts",
        {**STARTS, "originator": "codex-tui", "mcp_servers": "mine,codex_tui", "approval_policy": "on-request"},
        [f"{DETAIL} asks=True shows=True"],
    ),
    (
        "a title thread of a terminal",
        "conversation_starts",
        {**STARTS, "originator": "codex-tui", "approval_policy": "never"},
        [f"{DETAIL} asks=False hidden=True"],
    ),
    ("a prompt", "user_prompt", {"prompt": "[REDACTED]"}, ["PromptSubmitted"]),
    ("a request", "api_request", OK, ["ModelCallStarted model=gpt"]),
    ("a request over a web socket", "websocket_request", {"success": "true"}, ["ModelCallStarted"]),
    (
        "a refused request",
        "api_request",
        {"http.response.status_code": "401", "error.message": "http 401"},
        ["ModelCallFailed error_class=auth message=HTTP 401"],
    ),
    (
        "a request that reached nobody",
        "api_request",
        {"error.message": "connection refused"},
        ["ModelCallFailed message=no answer"],
    ),
    (
        "a failed request that says only so",
        "websocket_request",
        {"success": "false"},
        ["ModelCallFailed message=no answer"],
    ),
    (
        "an answer, its numbers as text",
        "sse_event",
        {**SPOKEN, **COUNTS},
        ["ModelCallFinished model=gpt usage=input:400,cache_read:600,output:50,reasoning:20 provider=openai"],
    ),
    ("its other record", "sse_event", {**SPOKEN, "duration_ms": "12"}, []),
    ("a warm-up", "sse_event", {**SPOKEN, **ZEROES}, []),
    ("a piece of an answer", "sse_event", {"event.kind": "response.output_text.delta", **COUNTS}, []),
    (
        "more cached than there was",
        "sse_event",
        {**SPOKEN, "input_token_count": "5", "cached_token_count": "9"},
        ["ModelCallFinished model=gpt usage=cache_read:9 provider=openai"],
    ),
    ("a tool", "tool_decision", {**TOOL, "decision": "approved"}, ["ToolStarted call=c name=exec_command"]),
    (
        "a tool for the session",
        "tool_decision",
        {**TOOL, "decision": "approved_for_session"},
        ["ToolStarted call=c name=exec_command"],
    ),
    (
        "a refused tool",
        "tool_decision",
        {**TOOL, "decision": "denied"},
        ["ToolFinished call=c name=exec_command started=0ms"],
    ),
    (
        "a tool that ran",
        "tool_result",
        {**TOOL, "duration_ms": "1001", "output": f'{{"agent_id": "{CHILD}"}}'},
        ["ToolFinished call=c name=exec_command started=-1001ms"],
    ),
    (
        "a sub-agent with an id of its own",
        "tool_result",
        {**SPAWN, "output": f'{{"agent_id": "{CHILD}", "nickname": "Russell"}}'},
        [f"SessionDetail parent={SESSION}", SPAWNED],
    ),
    ("a sub-agent that failed to start", "tool_result", {**SPAWN, "output": "no such agent"}, [SPAWNED]),
    ("a sub-agent of no name", "tool_result", {**SPAWN, "output": '{"agent_id": 7}'}, [SPAWNED]),
    ("a sub-agent in a list", "tool_result", {**SPAWN, "output": '["agent_id"]'}, [SPAWNED]),
    ("a sub-agent within an abyss", "tool_result", {**SPAWN, "output": "[" * 4000}, [SPAWNED]),
    ("an answer", "agent_response", {"response": "x"}, ["TurnFinished outcome=completed weak=True"]),
    (
        "a sub-agent's answer",
        "agent_response",
        {"parent.conversation.id": CHILD},
        [f"SessionDetail parent={CHILD}", "TurnFinished outcome=completed weak=True"],
    ),
    (
        "what a turn cost",
        "turn_cost",
        {"turn.id": "01a2025c-efd6-72b1-aa22-713825985ea3", "usage.estimated_usd": "0.012345", "model": "gpt"},
        ["TurnPriced turn=01a2025c-efd6-72b1-aa22-713825985ea3 began=1795335974870000 cost=0.012345 model=gpt"],
    ),
    ("a turn of no price", "turn_cost", {"turn.id": "t", "usage.estimated_usd": "NaN"}, []),
    ("a price of no turn", "turn_cost", {"usage.estimated_usd": "0.5"}, []),
    (
        "a turn whose id tells no time began by then",
        "turn_cost",
        {"turn.id": "zzzzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz", "usage.estimated_usd": "1"},
        [f"TurnPriced turn=zzzzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz began={NOW} cost=1"],
    ),
    ("unread", "startup_phase", {}, []),
]


@pytest.mark.parametrize(("name", "said", "expected"), [row[1:] for row in LOGS], ids=[row[0] for row in LOGS])
def test_a_log_record(name: str, said: dict[str, Any], expected: list[str]) -> None:
    assert told(NAME, log(f"codex.{name}", {"conversation.id": SESSION, "event.name": name, **said})) == expected


@pytest.mark.parametrize("kind", ["response.completed", ""])
def test_a_broken_stream_is_a_failed_call(kind: str) -> None:
    said = {"conversation.id": SESSION, "event.kind": kind, "error.message": "stream closed before the end"}
    (event,) = events(NAME, log("codex.sse_event", said))
    assert type(event).__name__ == "ModelCallFailed"
    assert "stream closed" not in repr(event)


def test_a_spawned_sub_agent_is_told_under_its_own_id() -> None:
    said = {"conversation.id": SESSION, **SPAWN, "output": f'{{"agent_id": "{CHILD}"}}'}
    assert [event.session for event in events(NAME, log("codex.tool_result", said))] == [CHILD, SESSION]


@pytest.mark.parametrize(("tokens", "outcome"), [("1050", "completed"), ("0", "failed"), (None, "interrupted")])
def test_the_span_of_a_turn_tells_how_it_ended(tokens: str | None, outcome: str) -> None:
    said = {"thread.id": SESSION, **({"codex.turn.token_usage.total_tokens": tokens} if tokens else {})}
    assert told(NAME, span("session_task.turn", said)) == [
        f"TurnFinished outcome={outcome} started=-500ms claim=5555555555555555"
    ]


@pytest.mark.parametrize("thread", ["12", 12, ""])
def test_the_number_of_a_thread_of_the_system_is_no_session(thread: Any) -> None:
    assert told(NAME, span("session_task.turn", {"thread.id": thread})) == []


def test_no_session_lives_in_the_shared_daemon() -> None:
    said = {"conversation.id": SESSION}
    shared = log("codex.user_prompt", said, {"service.name": "codex-app-server"})
    assert [event.pid for event in events(NAME, shared, pid=7)] == [0]
    assert [event.pid for event in events(NAME, log("codex.user_prompt", said, {"service.name": "codex-tui"}), 7)] == [
        7
    ]


def test_a_prompt_names_the_process_that_tells_of_it_also_where_that_is_shared() -> None:
    """It tells the title threads of one shared daemon from those of another."""
    shared = log("codex.user_prompt", {"conversation.id": SESSION}, {"service.name": "codex-app-server"})
    assert [event.teller for event in events(NAME, shared, 7) if isinstance(event, PromptSubmitted)] == [7]


def test_a_terminal_of_the_shared_daemon_says_only_that_something_was_typed() -> None:
    scope = "codex_otel::events::session_telemetry"
    typed = log("", {"x": 1}, scope=scope)
    assert [(event.pid, type(event).__name__) for event in events(NAME, typed, pid=7)] == [(7, "UserActed")]
    assert told(NAME, typed, pid=0) == []
    assert told(NAME, log("codex.user_prompt", {"event.name": "x", "conversation.id": SESSION}, scope=scope), 7) != []


def test_prompts_tell_the_trace_that_a_sub_agent_shares_with_its_parent() -> None:
    assert told(NAME, log("codex.user_prompt", {"conversation.id": SESSION}, trace="ab")) == [
        "PromptSubmitted trace=ab"
    ]
