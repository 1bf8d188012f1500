"""Gemini CLI's hook payloads as events. Seen in 0.21.3 and 0.61.0; prompt, answer and tool text are not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from aimond.agents.gemini_cli.telemetry import ASKS, NAME, TITLE
from aimond.agents.payload import clean, hooks
from aimond.core import event as ev


class Details(BaseModel):
    """What a question is about: ``exec``, ``edit``, ``info``, ``mcp``."""

    type: str = ""


class Hook(BaseModel):
    """The fields that are read; all others are dropped here."""

    model_config = ConfigDict(extra="ignore")

    session_id: str
    cwd: str = ""
    transcript_path: str = ""
    prompt: str = ""
    tool_name: str = ""
    notification_type: str = ""
    details: Details = Details()
    reason: str = ""


def _session_start(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, title=TITLE, directory=clean(hook.cwd, 4096), shows=True)


def _before_agent(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    if hook.prompt:  # 0.21.3 calls it again after each tool, with no prompt
        yield ev.PromptSubmitted(**common)


def _after_agent(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    """The end of a turn, done or cut. 0.21.3 calls it after every model call, and has no transcript yet."""
    if hook.transcript_path:
        yield ev.TurnFinished(**common, weak=True)


def _notification(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    if hook.notification_type == ASKS:
        yield ev.WaitStarted(**common, tool=clean(hook.details.type))


def _after_tool(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.ToolFinished(**common, call=f"hook@{common['at']}", name=clean(hook.tool_name), started=common["at"])


def _session_end(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionEnded(**common, reason="replaced" if hook.reason == "clear" else "ended")


READERS: Final[dict[str, Callable[[Hook, dict[str, Any]], Iterator[ev.Event]]]] = {
    "SessionStart": _session_start,
    "BeforeAgent": _before_agent,
    "AfterAgent": _after_agent,
    "Notification": _notification,
    "AfterTool": _after_tool,
    "SessionEnd": _session_end,
}
hook_events = hooks(NAME, Hook, READERS)
