"""The whole monitor and a notification daemon on one bus: hooks in, notifications out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aimond.bus.client import Monitor
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.desktop.screen import screen

WAITS = "Claude Code in {} is waiting for you | It asks for permission to use Bash"


async def hook(monitor: Monitor, session: str, event: str, **more: Any) -> None:
    payload = {"hook_event_name": event, "session_id": session, "cwd": f"/src/{session}", **more}
    await monitor.call("Hook", "claude-code", json.dumps(payload), {})


async def asks(monitor: Monitor, session: str) -> None:
    await hook(monitor, session, "SessionStart", source="startup")
    await hook(monitor, session, "UserPromptSubmit", prompt="secret")
    await hook(monitor, session, "PermissionRequest", tool_name="Bash", tool_input={"command": "secret"})


async def test_a_hook_makes_a_notification_and_its_answer_takes_it_away() -> None:
    with PrivateBus() as bus:
        async with screen(bus.address) as shown, live(bus) as running:
            await asks(running.reader, "web")
            await shown.until(lambda: shown.texts == [WAITS.format("web")])
            assert "secret" not in str(shown.calls)
            await hook(running.reader, "web", "PostToolUse", tool_name="Bash")
            await shown.until(lambda: not shown.shown)
            await hook(running.reader, "web", "Stop", stop_hook_active=False, background_tasks=[])
            await asks(running.reader, "api")
            await shown.until(lambda: shown.texts == [WAITS.format("api")])
            assert len(shown.shows) == 2, "a turn of less than 10 s is not told"


async def test_an_inhibition_holds_until_its_caller_is_gone() -> None:
    with PrivateBus() as bus:
        async with screen(bus.address) as shown, live(bus) as running:
            async with await Monitor.connect(bus.address) as other:
                await other.call("Inhibit", "slides", "a talk")
                await asks(running.reader, "web")
                assert (await running.reader.properties())["Inhibited"]
                assert shown.shown == {}
            await shown.until(lambda: shown.texts == [WAITS.format("web")])
            assert not (await running.reader.properties())["Inhibited"]


async def test_a_question_that_outlasts_the_monitor_is_asked_by_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = {"history": {"enabled": True}}
    with PrivateBus() as bus:
        async with screen(bus.address) as shown:
            async with live(bus, kept) as running:
                await asks(running.reader, "web")
                await asks(running.reader, "api")
                await shown.until(lambda: shown.texts == [WAITS.format("web"), WAITS.format("api")])
                await hook(running.reader, "api", "PostToolUse", tool_name="Bash")
                await shown.until(lambda: shown.texts == [WAITS.format("web")])
            assert shown.shown == {}
            async with live(bus, kept) as running:
                await shown.until(lambda: shown.texts == [WAITS.format("web")])
                await hook(running.reader, "web", "PostToolUse", tool_name="Bash")
                await shown.until(lambda: not shown.shown)
    assert len(shown.shows) == 3
