"""Any other CLI, by the GenAI conventions; and which agent a record belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from aimond.agents import Registry
from aimond.otlp.record import NO_ATTRIBUTES, Record
from tests.agents.saying import SESSION, events, log, span, told

NAME = "genai"
RESOURCE = {"service.name": "My Agent", "service.version": "3", "host.name": "h"}
DETAIL = "SessionDetail version=3 host=h title=My Agent"
CALL = {"gen_ai.response.model": "m", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
OLD = {"gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": "100", "gen_ai.usage.completion_tokens": "10"}

SPANS: list[tuple[str, str, dict[str, Any], dict[str, Any], list[str]]] = [
    (
        "a call",
        "chat",
        {**CALL, "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.reasoning.output_tokens": 4},
        {},
        ["ModelCallFinished model=m started=-500ms usage=input:40,cache_read:60,output:10,reasoning:4"],
    ),
    (
        "what was written to the cache, by its newer name",
        "generate_content",
        {**CALL, "gen_ai.usage.cache_write.input_tokens": 30},
        {},
        ["ModelCallFinished model=m started=-500ms usage=input:70,cache_write:30,output:10"],
    ),
    (
        "and its older one",
        "generate_content",
        {**CALL, "gen_ai.usage.cache_creation.input_tokens": 30},
        {},
        ["ModelCallFinished model=m started=-500ms usage=input:70,cache_write:30,output:10"],
    ),
    (
        "tokens by their oldest names",
        "text_completion",
        OLD,
        {},
        ["ModelCallFinished model=m started=-500ms usage=input:100,output:10"],
    ),
    (
        "a failed call",
        "chat",
        {"gen_ai.request.model": "m", "http.response.status_code": 503},
        {"error": True},
        ["ModelCallFailed model=m error_class=server message=HTTP 503"],
    ),
    (
        "a tool",
        "execute_tool",
        {"gen_ai.tool.call.id": "c", "gen_ai.tool.name": "ls"},
        {},
        ["ToolFinished call=c name=ls started=-500ms"],
    ),
    (
        "a turn",
        "invoke_agent",
        {},
        {},
        [f"PromptSubmitted trace={'7' * 32}", "TurnFinished outcome=completed started=-500ms claim=5555555555555555"],
    ),
    (
        "a failed turn",
        "invoke_agent",
        {},
        {"error": True},
        [f"PromptSubmitted trace={'7' * 32}", "TurnFinished outcome=failed started=-500ms claim=5555555555555555"],
    ),
]


@pytest.mark.parametrize(("kind", "said", "more", "expected"), [r[1:] for r in SPANS], ids=[r[0] for r in SPANS])
def test_a_span(kind: str, said: dict[str, Any], more: dict[str, Any], expected: list[str]) -> None:
    said = {"gen_ai.operation.name": kind, "gen_ai.conversation.id": SESSION, **said}
    assert told(NAME, span("work", said, RESOURCE, **more)) == [DETAIL, *expected]


def test_the_agent_is_named_for_its_service() -> None:
    said = {"gen_ai.operation.name": "chat", "session.id": SESSION}
    assert {event.agent for event in events(NAME, span("chat m", said, RESOURCE))} == {"my-agent"}


@pytest.mark.parametrize(
    ("said", "resource"),
    [
        ({"gen_ai.operation.name": "chat"}, RESOURCE),
        ({"gen_ai.conversation.id": SESSION}, RESOURCE),
        ({"gen_ai.operation.name": "embeddings", "gen_ai.conversation.id": SESSION}, RESOURCE),
        ({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": SESSION}, {}),
    ],
)
def test_what_cannot_be_told_apart_says_nothing(said: dict[str, Any], resource: dict[str, Any]) -> None:
    assert told(NAME, span("work", said, resource)) == []


def test_log_records_say_nothing() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": SESSION}
    assert told(NAME, log("gen_ai.client.inference.operation.details", said, RESOURCE)) == []


@pytest.mark.parametrize(
    ("scope", "name", "agent"),
    [
        ("com.anthropic.claude_code.events", "user_prompt", "claude-code"),
        ("com.anthropic.claude_code.tracing", "anything", "claude-code"),
        ("codex_otel", "codex.user_prompt", "codex"),
        ("codex_core::tasks", "", "codex"),
        ("gemini-cli", "gemini_cli.user_prompt", "gemini-cli"),
        ("gemini-cli", "gen_ai.client.inference.operation.details", "gemini-cli"),
        ("", "codex.user_prompt", "codex"),
        ("somebody", "gemini_cli.config", "gemini-cli"),
        ("somebody", "claude_code.session.count", "claude-code"),
        ("somebody", "chat", "genai"),
        ("", "", "genai"),
    ],
)
def test_a_record_belongs_to_an_agent_by_its_scope_else_by_its_name(scope: str, name: str, agent: str) -> None:
    registry = Registry()
    assert registry.of(Record("logs", scope, name, 1, NO_ATTRIBUTES, NO_ATTRIBUTES)).name == agent


@pytest.mark.parametrize(
    ("given", "agent"),
    [("claude", "claude-code"), ("claude-code", "claude-code"), ("codex", "codex"), ("", None), ("x", None)],
)
def test_hook_programs_name_their_agent(given: str, agent: str | None) -> None:
    found = Registry().by_name(given)
    assert (found.name if found else None) == agent
