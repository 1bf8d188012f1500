"""Codex CLI's hook and notify payloads as events. Seen in 0.169.0 (both) and 0.80.0 (notify); text is not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from aimond.agents.codex.telemetry import NAME, TITLE
from aimond.agents.payload import clean, hooks
from aimond.core import event as ev


class Hook(BaseModel):
    """The fields that are read; all others are dropped here."""

    model_config = ConfigDict(extra="ignore")

    session_id: str = Field(validation_alias=AliasChoices("session_id", "thread-id"))
    turn_id: str = Field("", validation_alias=AliasChoices("turn_id", "turn-id"))
    cwd: str = ""
    model: str = ""
    tool_name: str = ""
    tool_use_id: str = ""
    agent_id: str = ""

    @property
    def session(self) -> str:
        """A sub-agent's own thread: its hooks name its parent's beside it (0.169.0)."""
        return self.agent_id or self.session_id


def _session_start(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, title=TITLE, directory=clean(hook.cwd, 4096), model=clean(hook.model), shows=True)


def _user_prompt(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    if hook.agent_id:
        yield ev.SessionDetail(**common, parent=clean(hook.session_id))
    yield ev.PromptSubmitted(**common, turn=clean(hook.turn_id))


def _permission(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    # Hooks call the tool "Bash" that log records call "exec_command": no name to prove the wait over by.
    yield ev.WaitStarted(**common, tool=clean(hook.tool_name))


def _tool_over(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.ToolFinished(**common, call=clean(hook.tool_use_id), name=clean(hook.tool_name), started=common["at"])


def _stop(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.TurnFinished(**common, outcome=ev.Outcome.COMPLETED, weak=True)


def _interrupt(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Esc, in an answer or at a question (0.169.0: 35 ms after the key, where no log record tells of it)."""
    yield ev.TurnFinished(**common, outcome=ev.Outcome.INTERRUPTED, weak=True)


def _notify(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    """``agent-turn-complete``: for title threads too, so it shows no session that nothing else has told of."""
    yield ev.SessionDetail(**common, directory=clean(hook.cwd, 4096))
    yield ev.TurnFinished(**common, outcome=ev.Outcome.COMPLETED, weak=True)


def _session_end(hook: Hook, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionEnded(**common)


READERS: Final[dict[str, Callable[[Hook, dict[str, Any]], Iterator[ev.Event]]]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _user_prompt,
    "PermissionRequest": _permission,
    "PostToolUse": _tool_over,
    "Stop": _stop,
    "Interrupt": _interrupt,
    "agent-turn-complete": _notify,
    "SessionEnd": _session_end,
}
hook_events = hooks(NAME, Hook, READERS)
