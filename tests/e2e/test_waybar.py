"""``aimond waybar`` in a real Waybar: what it shows, what its clicks do, how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop, switches
from tests.e2e.bar import CONFIG, Bar, a_bar, installed
from tests.e2e.headless import Desk, until
from tests.e2e.wayland import WIDTH


@pytest.fixture
def bar(tmp_path: Path) -> Iterator[Bar]:
    """A bar that shows a monitor without sessions."""
    with a_bar(tmp_path) as here:
        here.start_monitor()
        here.start_bar()
        yield here


def test_the_bar_goes_from_working_to_waiting_to_completed(bar: Bar) -> None:
    told = subprocess.Popen(["aimond", "waybar"], env=bar.environment, stdout=subprocess.PIPE, text=True)
    bar.hook("UserPromptSubmit", prompt="hello")
    bar.shows("working")
    working = bar.picture("bar-working")
    bar.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "ls"})
    first, last = bar.shows("waiting")
    assert abs((first + last) // 2 - WIDTH // 2) < 20
    waiting = bar.picture("bar-waiting")
    bar.hook("PostToolUse", tool_name="Bash", tool_input={"command": "ls"})
    bar.hook("Stop", background_tasks=[])
    bar.shows("completed")
    completed = bar.picture("bar-completed")
    assert len({working.pixels, waiting.pixels, completed.pixels}) == 3
    told.terminate()
    lines = [json.loads(line) for line in told.communicate()[0].splitlines()]
    states = [line["class"] for line in lines if line["class"] != "none"]
    assert list(dict.fromkeys(states)) == ["working", "waiting", "completed"]
    assert lines[-1]["text"] == "✓ 1"
    assert "percentage" not in lines[-1]  # there is no budget


def test_a_click_of_each_button_does_what_the_configuration_says(bar: Bar) -> None:
    bar.hook("UserPromptSubmit", prompt="hello")
    bar.hook("Stop", background_tasks=[])
    bar.press("left", "completed")
    until(lambda: bar.called("focus --next"), "a call of `aimond focus --next`")
    bar.press("middle", "completed")
    until(lambda: any(window["app_id"] == "foot" for window in bar.screen.windows().values()), "a terminal")
    until(lambda: bar.processes("aimond", "top"), "aimond top")
    time.sleep(1)
    bar.picture("bar-top")
    bar.press("right", "completed")
    bar.shows("idle")
    assert bar.called("acknowledge --all")


def test_a_click_focuses_the_terminal_of_the_session_that_waits(tmp_path: Path) -> None:
    with PrivateBus() as bus, Desk(Desktop(bus, tmp_path), tmp_path) as desk:
        screen = desk.screen
        windows = {}
        for workspace, name in (("1", "first"), ("2", "second")):
            screen.sway("workspace", workspace)
            windows[name] = desk.terminal(name)
        bar = Bar(screen, installed(tmp_path, desk.desktop.environment))
        try:
            bar.start_bar()
            for name in ("first", "second"):
                desk.empty()
                desk.clis[name].prompted()
                desk.clis[name].asks()
                desk.until(name, State="waiting", CanFocus=True)
                bar.press("left", "waiting")
                until(lambda: screen.focused == windows[name], f"{name} has no focus")  # noqa: B023
                bar.picture(f"bar-focused-{name}")
                desk.clis[name].done()
                bar.shows_not("waiting")
        finally:
            bar.end()


def test_no_feeder_survives_its_bar_and_the_next_bar_works(bar: Bar) -> None:
    bar.hook("UserPromptSubmit", prompt="hello")
    bar.shows("working")
    for number in (signal.SIGKILL, signal.SIGTERM):
        assert bar.processes("aimond", "waybar")
        bar.waybar.send_signal(number)
        bar.waybar.wait()
        until(lambda: not bar.processes("aimond", "waybar"), "no feeder left", within=2)
        bar.start_bar()
        bar.shows("working")


def test_no_feeder_survives_beside_other_scripts_of_the_bar(bar: Bar, tmp_path: Path) -> None:
    """Waybar 0.9.17 lets each script inherit its ends of the pipes of those before it: theirs never close."""
    bar.waybar.kill()
    bar.waybar.wait()
    until(lambda: not bar.processes("aimond", "waybar"), "no feeder left", within=2)
    config = json.loads(re.sub(r"//.*", "", CONFIG.read_text()))
    config["modules-right"] = [f"custom/{name}" for name in "abc"]
    config |= {f"custom/{name}": {"exec": f"echo {name}; sleep 1000; true"} for name in "abc"}
    (tmp_path / "config").write_text(json.dumps(config))
    bar.start_bar(tmp_path / "config")
    bar.hook("UserPromptSubmit", prompt="hello")
    bar.shows("working")
    until(lambda: len(bar.processes("sleep", "1000")) >= 3, "the other scripts")
    bar.waybar.kill()
    bar.waybar.wait()
    until(lambda: not bar.processes("aimond", "waybar"), "no feeder left", within=2)


def test_while_nothing_changes_neither_the_feeder_nor_top_nor_the_monitor_wakes_for_half_a_minute(bar: Bar) -> None:
    bar.hook("SessionStart")
    bar.press("middle", "idle")
    idle = {
        name: until(lambda: bar.processes(sys.executable, "-m", "aimond", name), name)[0]  # noqa: B023
        for name in ("waybar", "top", "run")
    }
    time.sleep(5)  # what opened is over
    before = {name: switches(pid) for name, pid in idle.items()}
    time.sleep(30)
    assert {name: switches(pid) for name, pid in idle.items()} == before


def test_a_monitor_that_goes_and_comes_back_needs_no_other_bar(bar: Bar) -> None:
    bar.hook("SessionStart")
    bar.shows("idle")
    (feeder,) = bar.processes(sys.executable, "-m", "aimond", "waybar")
    bar.monitor.kill()
    bar.monitor.wait()
    bar.shows_not("idle")
    bar.picture("bar-off")
    bar.start_monitor()
    bar.hook("UserPromptSubmit", prompt="hello")
    bar.shows("working")
    assert bar.processes(sys.executable, "-m", "aimond", "waybar") == [feeder]
