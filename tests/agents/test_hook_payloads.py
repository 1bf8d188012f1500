"""What hook programs are given, by each CLI; and what becomes of payloads that are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimond.agents.claude_code.hooks import READERS as CLAUDE_CODE
from aimond.agents.codex.hooks import READERS as CODEX
from aimond.agents.gemini_cli.hooks import READERS as GEMINI_CLI
from aimond.spine import Spine
from tests.agents.saying import NOW, SESSION, hook, words

READERS = {"claude-code": CLAUDE_CODE, "codex": CODEX, "gemini-cli": GEMINI_CLI}
EVENTS = [(agent, event) for agent, readers in READERS.items() for event in readers]
RUNNING = {"id": "sub", "type": "subagent", "status": "running"}
SERVER = {"id": "dev", "type": "shell", "status": "running"}
DONE = "TurnFinished outcome=completed weak=True"
HERE = {"cwd": "/home/dev/a", "model": "opus"}
STARTED = "SessionDetail model=opus directory=/home/dev/a title={} shows=True"
RAN = {"tool_name": "Bash", "tool_use_id": "c"}

TABLE: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("claude-code", "SessionStart", HERE, [STARTED.format("Claude Code")]),
    ("claude-code", "UserPromptSubmit", {"prompt": "hi", "prompt_id": "p"}, ["PromptSubmitted turn=p"]),
    ("claude-code", "UserPromptSubmit", {"prompt": "/compact"}, []),
    ("claude-code", "UserPromptSubmit", {"prompt": "<task-notification>"}, ["PromptSubmitted synthetic=True"]),
    ("claude-code", "PermissionRequest", {"tool_name": "Bash"}, ["WaitStarted tool=Bash only=Bash"]),
    (
        "claude-code",
        "PermissionRequest",
        {"tool_name": "AskUserQuestion"},
        ["WaitStarted kind=question tool=AskUserQuestion only=AskUserQuestion"],
    ),
    ("claude-code", "Notification", {"notification_type": "permission_prompt"}, ["WaitStarted"]),
    ("claude-code", "Notification", {"notification_type": "idle_prompt"}, []),
    (
        "claude-code",
        "PostToolUse",
        {**RAN, "duration_ms": 219},
        ["ToolFinished call=c name=Bash started=-219ms"],
    ),
    ("claude-code", "PostToolUse", {**RAN, "agent_id": "sub"}, []),
    ("claude-code", "PostToolUseFailure", RAN, ["ToolFinished call=c name=Bash started=0ms"]),
    ("claude-code", "Stop", {"background_tasks": []}, [DONE]),
    ("claude-code", "Stop", {"background_tasks": [RUNNING]}, ["BackgroundStarted task=sub", DONE]),
    ("claude-code", "Stop", {"background_tasks": [SERVER]}, [DONE]),
    ("claude-code", "Stop", {"background_tasks": [{**RUNNING, "status": "completed"}]}, [DONE]),
    ("claude-code", "Stop", {"stop_hook_active": False}, ["TurnFinished weak=True"]),
    ("claude-code", "StopFailure", {"error": "unknown"}, ["TurnFinished outcome=failed weak=True"]),
    (
        "claude-code",
        "StopFailure",
        {"error": "rate_limit"},
        ["TurnFinished outcome=failed error_class=rate_limit weak=True"],
    ),
    ("claude-code", "SubagentStart", {"agent_id": "sub"}, ["BackgroundStarted task=sub"]),
    (
        "claude-code",
        "SubagentStop",
        {"agent_id": "sub", "agent_type": "general-purpose"},
        ["BackgroundFinished task=sub wakes=True"],
    ),
    ("claude-code", "SessionEnd", {"reason": "prompt_input_exit"}, ["SessionEnded"]),
    ("claude-code", "SessionEnd", {"reason": "clear"}, ["SessionEnded reason=replaced"]),
    ("claude-code", "PreToolUse", RAN, []),
    ("codex", "SessionStart", HERE, [STARTED.format("Codex CLI")]),
    ("codex", "UserPromptSubmit", {"turn_id": "t"}, ["PromptSubmitted turn=t"]),
    ("codex", "PermissionRequest", {"tool_name": "Bash"}, ["WaitStarted tool=Bash"]),
    ("codex", "PostToolUse", RAN, ["ToolFinished call=c name=Bash started=0ms"]),
    ("codex", "Stop", {}, [DONE]),
    ("codex", "Interrupt", {"turn_id": "t"}, ["TurnFinished outcome=interrupted weak=True"]),
    ("codex", "SessionEnd", {}, ["SessionEnded"]),
    ("gemini-cli", "SessionStart", HERE, ["SessionDetail directory=/home/dev/a title=Gemini CLI shows=True"]),
    ("gemini-cli", "BeforeAgent", {"prompt": "hi"}, ["PromptSubmitted"]),
    ("gemini-cli", "BeforeAgent", {"prompt": ""}, []),
    ("gemini-cli", "AfterAgent", {"transcript_path": "/x"}, ["TurnFinished weak=True"]),
    ("gemini-cli", "AfterAgent", {"transcript_path": ""}, []),
    (
        "gemini-cli",
        "Notification",
        {"notification_type": "ToolPermission", "details": {"type": "exec", "command": "rm x"}},
        ["WaitStarted tool=exec"],
    ),
    ("gemini-cli", "Notification", {"notification_type": "Other"}, []),
    ("gemini-cli", "SessionEnd", {"reason": "clear"}, ["SessionEnded reason=replaced"]),
    ("gemini-cli", "SessionEnd", {"reason": "exit"}, ["SessionEnded"]),
]


@pytest.mark.parametrize(("agent", "event", "payload", "expected"), TABLE)
def test_a_hook(agent: str, event: str, payload: dict[str, Any], expected: list[str]) -> None:
    told = hook(agent, event, {"session_id": SESSION, **payload})
    assert [words(each) for each in told] == expected
    assert {(each.agent, each.session, each.source, each.at) for each in told} <= {(agent, SESSION, "hook", NOW)}


def test_a_hook_in_a_sub_agent_of_codex_is_of_the_sub_agents_own_thread() -> None:
    told = hook("codex", "UserPromptSubmit", {"session_id": SESSION, "agent_id": "child", "turn_id": "t"})
    assert [words(each) for each in told] == [f"SessionDetail parent={SESSION}", "PromptSubmitted turn=t"]
    assert {each.session for each in told} == {"child"}


def test_codex_notify_spells_its_fields_another_way() -> None:
    payload = {"type": "agent-turn-complete", "thread-id": SESSION, "turn-id": "0", "cwd": "/home/dev/a"}
    told = hook("codex", "agent-turn-complete", payload)
    assert [words(each) for each in told] == ["SessionDetail directory=/home/dev/a", DONE]
    assert {each.session for each in told} == {SESSION}


WITHOUT = [{}, {"session_id": None}, {"session_id": 7}, {"session_id": ["x"]}, {"session_id": {}}, [], "x", None, 7]


@pytest.mark.parametrize(("agent", "event"), EVENTS)
def test_a_payload_without_a_session_says_nothing(agent: str, event: str) -> None:
    assert [hook(agent, event, payload) for payload in WITHOUT] == [[]] * len(WITHOUT)


@pytest.mark.parametrize(("agent", "event"), EVENTS)
def test_a_session_of_no_name_is_none(agent: str, event: str) -> None:
    said = {"prompt": "hi", "transcript_path": "/x", "agent_id": "a", "agent_type": "t"}
    for nothing in ("", "\x00", "\n\u202e"):
        assert hook(agent, event, {"session_id": nothing, **said}) == []


WRONG = [None, 7, 7.5, True, "x", [], [7], {}, {"id": 7}, "\ud83d", float("nan"), float("inf"), -1e300, 10**400]
FIELDS = """
    cwd model prompt_id prompt tool_name tool_use_id duration_ms notification_type background_tasks agent_id agent_type
    reason error turn_id turn-id thread-id transcript_path details
"""


@pytest.mark.parametrize(("agent", "event"), EVENTS)
def test_fields_of_a_wrong_type_raise_nothing(agent: str, event: str) -> None:
    for field in FIELDS.split():
        for value in WRONG:
            for told in hook(agent, event, {"session_id": SESSION, "prompt": "hi", field: value}):
                assert told.session == SESSION or field in ("thread-id", "agent_id")


@pytest.mark.parametrize("agent", READERS)
def test_an_event_unheard_of_says_nothing(agent: str) -> None:
    assert hook(agent, "Novelty", {"session_id": SESSION}) == []
    assert hook(agent, "", {"session_id": SESSION}) == []


def test_a_hook_of_no_agent_changes_nothing() -> None:
    assert Spine().take_hook("nobody", "Stop", "hook", {"session_id": SESSION}, NOW) == []


TASK = st.sampled_from(["id", "type", "status"])


@settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(EVENTS),
    st.dictionaries(
        st.sampled_from(["session_id", *FIELDS.split()]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "status"]), inner)
            ),
            max_leaves=6,
        ),
    ),
)
def test_any_payload_may_come(which: tuple[str, str], payload: dict[str, Any]) -> None:
    agent, event = which
    spine = Spine()
    spine.take_hook(agent, event, "hook", {"session_id": SESSION, **payload}, NOW)
    assert len(spine.tracker.snapshots()) <= 1
