"""What stays at the agents' door: prompts, answers, tool arguments and output, e-mail, account and installation ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aimond.agents import Registry
from aimond.core.event import Event
from aimond.otlp.record import Attributes, Record
from aimond.spine import Spine
from tests.agents.saying import hook
from tests.recorded import PATHS, name, records, tape

# Seen in the tapes, or documented (what an OAuth user's records say).
PRIVATE = """
    prompt prompt_text user_prompt response response_text request_text reasoning output arguments function_args
    tool_input tool_parameters full_command file_path bash_argv0 error error.message error_message stdout stderr
    hook_input hook_output hook_name mcp_server thread.name
    gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions gen_ai.tool.definitions
    user.id user.email user.account_uuid user.account_id organization.id installation.id
    account_id host.id process.owner process.command process.command_args process.executable.path
"""
PRIVATE_OF_HOOKS = """
    prompt tool_input tool_response last_assistant_message message transcript_path agent_transcript_path delta
    compact_summary custom_instructions permission_suggestions input-messages last-assistant-message prompt_response
    llm_request llm_response details
"""
SECRET = "anna@example.org told: rm -rf /private 0123456789"
# Prompts that change what a record means; what follows these words is as private as any other.
OPENINGS = ("", "/", "<task-notification>")

each_tape = pytest.mark.parametrize("path", PATHS, ids=name)


def with_secrets(attributes: Attributes, opening: str) -> Attributes:
    """The same attributes with another text under each private key, and with all private keys."""
    kept = {key: attributes.get(key) for key in attributes if key not in PRIVATE.split()}
    told = {key: f"{opening}{SECRET}" for key in PRIVATE.split() if key in attributes or opening == ""}
    return Attributes({**kept, **told}, lambda value: value)


@each_tape
def test_no_event_repeats_a_private_attribute(path: Path) -> None:
    """Every record of the tape, its private texts exchanged for one that is easy to find."""
    registry, read = Registry(), Counter[str]()
    for record in records(path):
        for opening in OPENINGS:
            spiked = replace(
                record,
                attributes=with_secrets(record.attributes, opening),
                resource=with_secrets(record.resource, opening),
                status=SECRET if record.status else "",
            )
            for event in registry.of(record).events(spiked, 7):
                read[type(event).__name__] += 1
                assert SECRET not in repr(event)
                assert "rm -rf" not in repr(event)
    assert read


@each_tape
def test_no_event_repeats_what_was_private_in_the_recording(path: Path) -> None:
    registry = Registry()
    for record in records(path):
        told = [repr(event) for event in registry.of(record).events(record, 7)]
        for secret in secrets(record):
            assert not any(secret in words for words in told), f"{record.name}: {secret}"


def secrets(record: Record) -> Iterator[str]:
    """The private texts of a record that are long enough to be told from other words by chance."""
    for attributes in (record.attributes, record.resource):
        for key in PRIVATE.split():
            text = attributes.text(key)
            if len(text) >= 8 and not text.startswith(record.attributes.text("session.id") or "?"):
                yield text


@cache
def hook_lines() -> tuple[tuple[str, str, Any], ...]:
    lines = [(tape(path).tool, line.fields) for path in PATHS for line in tape(path).lines if line.kind == "hook"]
    return tuple((fields.get("tool") or tool, fields["event"], fields["payload"]) for tool, fields in lines)


def test_no_hook_repeats_what_it_was_given() -> None:
    registry, read = Registry(), Counter[str]()
    for tool, event, payload in hook_lines():
        agent = registry.by_name(tool)
        assert agent is not None
        for opening in OPENINGS:
            for told in hook(agent.name, event, spiked_hook(payload, opening)):
                read[type(told).__name__] += 1
                assert SECRET not in repr(told)
    assert {"PromptSubmitted", "WaitStarted", "ToolFinished", "TurnFinished", "SessionEnded"} <= set(read)


def spiked_hook(payload: dict[str, Any], opening: str) -> dict[str, Any]:
    """The payload with its private parts exchanged, in the shape they have."""
    told = dict(payload)
    for key in PRIVATE_OF_HOOKS.split():
        if isinstance(told.get(key), dict):
            told[key] = {part: f"{opening}{SECRET}" for part in told[key] if part != "type"} | {"command": SECRET}
        elif key in told:
            told[key] = f"{opening}{SECRET}"
    return told


@each_tape
def test_nothing_private_is_on_show(path: Path) -> None:
    """The last door: what readers of the bus see of a session that has heard the whole tape."""
    played, spine = tape(path), Spine()
    texts = set[str]()
    for line in played.lines:
        batch = played.batch(line) if line.kind == "otlp" else None
        if batch:
            spine.take(batch)
    for record in records(path):
        texts |= set(secrets(record))
    shown = [session.seen for session in spine.tracker.sessions.remembered if session.seen]
    told = json.dumps([repr(snapshot) for snapshot in shown])
    assert [text for text in texts if text in told] == []


@pytest.mark.parametrize("key", ["tool_name", "model", "session.id", "agent_id", "prompt.id"])
def test_a_strangers_word_is_cut_and_made_printable(key: str) -> None:
    """What is shown is at least no essay and no terminal escape."""
    said = {"session.id": "s", "tool_use_id": "c", "decision": "accept", key: "\x1b[31m" + "x" * 5000 + "\n"}
    registry = Registry()
    for kind in ("tool_decision", "api_request", "user_prompt"):
        record = Record("logs", "com.anthropic.claude_code", kind, 1, Attributes(said, lambda value: value), EMPTY)
        for event in registry.of(record).events(record, 0):
            for text in texts_of(event):
                assert text.isprintable()
                assert len(text) <= 4096


EMPTY = Attributes({}, lambda value: value)


def texts_of(event: Event) -> list[str]:
    values = [getattr(event, slot) for kind in type(event).__mro__ for slot in getattr(kind, "__slots__", ())]
    return [value for value in values if isinstance(value, str) and value is not event.key]
