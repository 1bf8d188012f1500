"""Claude Code's hook payloads as events. Seen in 2.0.76 and 2.1.330; prompt, tool input and output are not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from aimond.agents.claude_code.telemetry import NAME, TITLE, WAKE_UP, kind_of
from aimond.agents.payload import clean, hooks
from aimond.core import event as ev


class Hook(BaseModel):
    """The fields that are read; all others are dropped here."""

    model_config = ConfigDict(extra="ignore")

    session_id: str
    cwd: str = ""
    model: str = ""
    prompt_id: str = ""
    prompt: str = ""
    tool_name: str = ""
    tool_use_id: str = ""
    duration_ms: float = Field(0, ge=0, le=10**12, allow_inf_nan=False)
    notification_type: str = ""
    background_tasks: list[Any] | None = None
    agent_id: str = ""
    agent_type: str = ""
    reason: str = ""
    error: str = ""


def _session_start(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, title=TITLE, directory=clean(hook.cwd, 4096), model=clean(hook.model), shows=True)


def _user_prompt(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    if hook.prompt.startswith("/"):
        return
    yield ev.PromptSubmitted(**common, turn=clean(hook.prompt_id), synthetic=hook.prompt.startswith(WAKE_UP))


def _permission(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    tool = clean(hook.tool_name)
    yield ev.WaitStarted(**common, kind=kind_of(tool), tool=tool, only=tool, by=clean(hook.agent_id))


def _notification(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    # Six seconds after the dialog, if that is still open (2.1.330).
    if hook.notification_type == "permission_prompt":
        yield ev.WaitStarted(**common)


def _tool_over(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    if not hook.agent_id:
        started = common["at"] - int(hook.duration_ms * 1000)
        yield ev.ToolFinished(**common, call=clean(hook.tool_use_id), name=clean(hook.tool_name), started=started)


def _stop(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    for task in hook.background_tasks or ():
        if isinstance(task, dict) and (task.get("type"), task.get("status")) == ("subagent", "running"):
            yield ev.BackgroundStarted(**common, task=clean(str(task.get("id"))))
    # 2.0.76 calls Stop after an API error too, and lists no tasks: the logs have to tell how the turn ended.
    outcome = ev.Outcome.COMPLETED if hook.background_tasks is not None else None
    yield ev.TurnFinished(**common, outcome=outcome, weak=True)


# ``error`` of StopFailure (2.1.330: "unknown" for a 400; the others by the documentation).
FAILURES: Final = {"rate_limit": "rate_limit", "authentication_failed": "auth", "overloaded": "server"}


def _stop_failure(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.TurnFinished(**common, outcome=ev.Outcome.FAILED, error_class=FAILURES.get(hook.error, ""), weak=True)


def _subagent_start(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.BackgroundStarted(**common, task=clean(hook.agent_id))


def _subagent_stop(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    # Those that have a type (2.1.330) run in the background and wake the agent; /compact's has none.
    yield ev.BackgroundFinished(**common, task=clean(hook.agent_id), wakes=bool(hook.agent_type))


def _session_end(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionEnded(**common, reason="replaced" if hook.reason == "clear" else "ended")


READERS: Final[dict[str, Callable[[Hook, dict[str, Any]], Iterator[ev.Event]]]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _user_prompt,
    "PermissionRequest": _permission,
    "Notification": _notification,
    "PostToolUse": _tool_over,
    "PostToolUseFailure": _tool_over,
    "Stop": _stop,
    "StopFailure": _stop_failure,
    "SubagentStart": _subagent_start,
    "SubagentStop": _subagent_stop,
    "SessionEnd": _session_end,
}
hook_events = hooks(NAME, Hook, READERS)
