"""Gemini CLI's records, with all their quirks, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agents.saying import SESSION, events, log, span, told

NAME = "gemini-cli"
CALL = {"model": "flash", "input_token_count": 10002, "cached_content_token_count": 8000, "output_token_count": 120}
CALL |= {"thoughts_token_count": 60, "tool_token_count": 15, "total_token_count": 10197, "duration_ms": 40}
COUNTED = "usage=input:2002,cache_read:8000,tool_prompt:15,output:180,reasoning:60"
TEXT = '[{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}]'
ASKS_FOR_TOOL = '[{"candidates":[{"content":{"parts":[{"functionCall":{"name":"run_shell_command"}}]}}]}]'
DETAIL = "SessionDetail title=Gemini CLI"
CUT = "TurnFinished outcome=interrupted weak=True"

LOGS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a terminal", "config", {"interactive": True, "approval_mode": "default"}, [f"{DETAIL} asks=True shows=True"]),
    ("-p", "config", {"interactive": "false", "approval_mode": "default"}, [f"{DETAIL} asks=False shows=True"]),
    ("yolo", "config", {"interactive": True, "approval_mode": "yolo"}, [f"{DETAIL} asks=False shows=True"]),
    ("yolo from now on", "plan.approval_mode_switch", {"to_mode": "yolo"}, ["SessionDetail asks=False"]),
    ("yolo no more", "plan.approval_mode_switch", {"to_mode": "default"}, ["SessionDetail asks=True"]),
    ("a prompt", "user_prompt", {"prompt_id": "x####1", "prompt": "hi"}, [f"{DETAIL} shows=True", "PromptSubmitted"]),
    ("the model that does the work", "model_routing", {"decision_model": "flash"}, ["SessionDetail main_model=flash"]),
    ("a request", "api_request", {"model": "flash", "role": "main"}, ["ModelCallStarted model=flash"]),
    ("a router's request", "api_request", {"role": "utility_router"}, ["ModelCallStarted main=False"]),
    (
        "thoughts are not in the output, the cache is in the input, the tool prompt in neither",
        "api_response",
        {**CALL, "role": "main"},
        [f"ModelCallFinished model=flash started=-40ms {COUNTED} provider=google"],
    ),
    (
        "the same as text",
        "api_response",
        {key: str(value) for key, value in CALL.items()} | {"role": "main"},
        [f"ModelCallFinished model=flash started=-40ms {COUNTED} provider=google"],
    ),
    (
        "a router's answer",
        "api_response",
        {**CALL, "role": "utility_router"},
        [f"ModelCallFinished model=flash started=-40ms main=False {COUNTED} provider=google"],
    ),
    (
        "0.21.3 does not say what a call is for",
        "api_response",
        CALL,
        [f"ModelCallFinished model=flash started=-40ms main=None {COUNTED} provider=google"],
    ),
    (
        "an answer that asks for a tool",
        "api_response",
        {"model": "flash", "role": "main", "response_text": ASKS_FOR_TOOL},
        ["ModelCallFinished model=flash started=0ms ends=False usage= provider=google"],
    ),
    (
        "an answer that gives the floor back",
        "api_response",
        {"model": "flash", "role": "main", "response_text": TEXT},
        ["ModelCallFinished model=flash started=0ms ends=True usage= provider=google"],
    ),
    (
        "a try among ten",
        "api_error",
        {"model": "flash", "role": "main", "status_code": "429", "error.type": "ApiError"},
        ["ModelCallFailed model=flash error_class=rate_limit message=HTTP 429"],
    ),
    (
        "a try that is not repeated",
        "api_error",
        {"model": "flash", "role": "main", "status_code": 400},
        ["ModelCallFailed model=flash error_class=invalid message=HTTP 400 final=True"],
    ),
    (
        "0.21.3 logs Esc as an error",
        "api_error",
        {"model": "flash", "error.type": "AbortError", "status_code": None},
        ["ModelCallFailed model=flash main=None message=no answer final=True aborted=True", CUT],
    ),
    (
        "under its older name",
        "api_error",
        {"error_type": "AbortError"},
        ["ModelCallFailed main=None message=no answer final=True aborted=True", CUT],
    ),
    (
        "a tool that ran",
        "tool_call",
        {"function_name": "run_shell_command", "duration_ms": 86, "decision": "auto_accept"},
        ["ToolFinished name=run_shell_command started=-86ms"],
    ),
    (
        "a tool its user refused",
        "tool_call",
        {"function_name": "run_shell_command", "decision": "reject"},
        ["ToolFinished name=run_shell_command started=0ms", CUT],
    ),
    ("yolo says when it is done", "conversation_finished", {}, ["TurnFinished weak=True"]),
    ("the last word of -p", "plan.approval_mode_duration", {"interactive": False}, ["TurnFinished weak=True"]),
    ("it says nothing in a terminal", "plan.approval_mode_duration", {"interactive": True}, []),
    ("/clear stands under the new id", "slash_command", {"command": "clear"}, [f"{DETAIL} shows=True"]),
    ("/quit", "slash_command", {"command": "quit"}, ["SessionEnded"]),
    ("unread", "startup_stats", {}, []),
]
SPANS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a step", "user_prompt", {}, ["TurnFinished started=-500ms claim=5555555555555555"]),
    ("another step", "system_prompt", {}, ["TurnFinished claim=5555555555555555"]),
    ("a step that scheduled tools", "schedule_tool_calls", {"parent": "6666"}, ["TurnGoesOn claim=6666"]),
    ("tools of no step", "schedule_tool_calls", {}, []),
    ("an answer", "llm_call", {}, ["ModelCallFinished model=flash started=-500ms main=None"]),
    (
        "Esc in a stream (0.61.0)",
        "llm_call",
        {"error": True, "status": "This operation was aborted"},
        ["ModelCallFailed model=flash main=None final=True aborted=True"],
    ),
    ("a failed try", "llm_call", {"error": True, "status": "429"}, []),
    ("unread", "tool_call", {}, []),
]


@pytest.mark.parametrize(("name", "said", "expected"), [row[1:] for row in LOGS], ids=[row[0] for row in LOGS])
def test_a_log_record(name: str, said: dict[str, Any], expected: list[str]) -> None:
    assert told(NAME, log(f"gemini_cli.{name}", {"session.id": SESSION, **said})) == expected


@pytest.mark.parametrize(("name", "more", "expected"), [row[1:] for row in SPANS], ids=[row[0] for row in SPANS])
def test_a_span(name: str, more: dict[str, Any], expected: list[str]) -> None:
    said = {"gen_ai.conversation.id": SESSION, "gen_ai.request.model": "flash"}
    assert told(NAME, span(name, said, **more)) == expected


def test_the_records_own_id_is_the_session_and_the_resources_is_stale() -> None:
    """After /clear, and a phantom's in 0.21.3."""
    stale = {"session.id": "stale"}
    (_, prompt) = events(NAME, log("gemini_cli.user_prompt", {"session.id": SESSION}, stale))
    assert prompt.session == SESSION
    assert told(NAME, log("gemini_cli.user_prompt", {}, stale)) == []


def test_the_version_of_node_is_not_that_of_the_cli() -> None:
    record = log("gemini_cli.config", {"session.id": SESSION}, {"service.version": "v20.20.2", "host.name": "h"})
    assert told(NAME, record) == ["SessionDetail host=h title=Gemini CLI asks=True shows=True"]
