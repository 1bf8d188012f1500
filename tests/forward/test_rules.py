"""The tables themselves, and what is made of them."""

from __future__ import annotations

import re

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aimond.agents import find
from aimond.forward import apply, failures, mapping, ottl
from aimond.forward.attributes import Attributes
from aimond.forward.rules import RULES


def test_scopes_are_those_of_the_agents() -> None:
    agents = {agent.name: agent.scopes for agent in find().values() if agent.scopes}
    assert agents == mapping.SCOPES


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        ("429", "", "rate_limit"),
        ("529", "Overloaded", "server"),
        ("504", "", "timeout"),
        ("401", "", "auth"),
        ("400", "API key not valid. Please pass a valid API key.", "auth"),
        ("400", "messages: at least one is required", "_OTHER"),
        ("", "Connection error.", "_OTHER"),
        ("", "Request timed out.", "timeout"),
        ("500", "rate limit", "server"),
        ("undefined", "too many requests", "rate_limit"),
    ],
)
def test_the_class_of_a_failure(status: str, message: str, kind: str) -> None:
    attributes = Attributes(Span().attributes)
    attributes.set("error", message or "x")
    if status:
        attributes.set("status_code", status)
    apply.classify(mapping.CLAUDE, "log", "api_error", attributes)
    assert attributes.get("error.type") == kind


def test_a_class_of_its_own_is_kept_beside_ours() -> None:
    attributes = Attributes(Span().attributes)
    attributes.set("error.type", "ApiError")
    attributes.set("status_code", 429)
    attributes.set("event.name", "gemini_cli.api_error")
    for _ in range(2):
        apply.classify(mapping.GEMINI, "log", "gemini_cli.api_error", attributes)
    assert (attributes.get("error.type"), attributes.get("error.native_type")) == ("rate_limit", "ApiError")


@pytest.mark.parametrize("value", ["12", 12, 12.0, "x", "1.5", True, "", 2**63])
def test_numbers_are_read_as_collectors_read_them(value: object) -> None:
    attributes = Attributes(Span().attributes)
    try:
        attributes.set("n", value)  # type: ignore[arg-type]
    except ValueError:
        return  # no such integer can be sent
    assert attributes.whole("n") == (12 if value in ("12", 12, 12.0) and value is not True else None)


def test_every_rule_has_a_statement_and_each_statement_is_one() -> None:
    lines = {context: ottl.statements(context) for context in ottl.CONTEXTS}
    for rule in RULES:
        owner = "span" if rule.context == "spanevent" else rule.context
        target = f'set({owner}.attributes["{rule.target}"], '
        assert any(line.startswith(target) for line in lines[rule.context])
    form = re.compile(r'(set\([^`]+\) where [^`]+|delete_key\(\w+\.cache, "sum"\))')
    for line in [line for each in lines.values() for line in each] + ottl.private("log"):
        assert form.fullmatch(line) or line.startswith("delete_matching_keys(")
        assert line.count("(") == line.count(")") or "(?i)" in line or "\\(" in line
    assert "CHAIN" in ottl.noise() and "STATUS_CODE_ERROR" in ottl.noise()


def test_patterns_are_of_the_syntax_that_both_share() -> None:
    patterns = [pattern for _, pattern in (*failures.BY_MESSAGE, *failures.BY_CODE)]
    patterns += [pattern for rule in RULES for _, pattern in rule.having]
    for pattern in patterns:
        re.compile(pattern)
        assert not re.search(r"\(\?[^i]|\\[1-9]|\(\?P", pattern), "neither look-around nor references are in RE2"
