"""The clock of a real monitor is set by a day, forward and back, while a session works: it neither ends nor hangs."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop

ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def faked(tmp_path: Path) -> Iterator[tuple[Desktop, Path]]:
    """A monitor whose clock on the wall is what a file says; its monotonic one is real."""
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"))
    assert shutil.which("dbus-daemon")
    with PrivateBus() as bus:
        desktop, stamp = Desktop(bus, tmp_path), tmp_path / "time"
        stamp.write_text("+0")
        desktop.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(stamp),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
        yield desktop, stamp


@pytest.mark.parametrize("step", ["+1d", "-1d"])
async def test_a_step_of_a_day_neither_ends_a_session_nor_hangs_it(faked: tuple[Desktop, Path], step: str) -> None:
    desktop, stamp = faked

    def hook(event: str, **fields: object) -> None:
        said = {"hook_event_name": event, "session_id": ID, **fields}
        done = desktop.run("hook", "claude-code", input=json.dumps(said))
        assert done.returncode == 0, done.stderr

    def session() -> dict[str, object]:
        told = json.loads(desktop.run("status", "--json", environment={"LD_PRELOAD": ""}).stdout)["sessions"]
        (one,) = told
        return dict(one)

    def reaches(state: str) -> None:
        end = time.monotonic() + 30
        while session()["State"] != state:
            assert time.monotonic() < end, session()
            time.sleep(0.05)

    with desktop.monitor():
        await asyncio.to_thread(hook, "UserPromptSubmit", prompt="go", cwd=str(Path.cwd()))
        reaches("working")
        stamp.write_text(step)
        await asyncio.to_thread(hook, "PermissionRequest", tool_name="Bash", tool_input={})
        reaches("waiting")
        await asyncio.to_thread(hook, "Stop", stop_hook_active=False, background_tasks=[])
        reaches("completed")
        await asyncio.to_thread(hook, "UserPromptSubmit", prompt="go on", cwd=str(Path.cwd()))
        reaches("working")
        assert session()["Turns"] == 2
