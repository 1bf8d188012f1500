"""i3 for real: the same code, without processes and with WINDOWID."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop
from tests.e2e.headless import Desk, Screen, until

NUMBERS = Path("/tmp/.X11-unix")


class X11(Screen):
    """Xvfb with i3 in it."""

    def start(self) -> None:
        number = next(number for number in range(80, 200) if not (NUMBERS / f"X{number}").exists())
        self.display = f":{number}"
        self._start(["Xvfb", self.display, "-screen", "0", "800x600x24", "-nolisten", "tcp"])
        until((NUMBERS / f"X{number}").exists, "Xvfb has not started")
        config = self.runtime / "i3.conf"
        config.write_text("font pango:monospace 8\n")
        self._start(["i3", "-c", str(config)], DISPLAY=self.display)
        sockets = self.runtime / "i3"
        self.socket = str(until(lambda: next(sockets.glob("ipc-socket.*"), None), "i3 has not started"))
        until(lambda: self.sway("-t", "get_version"))

    def run(self, *command: str) -> int:
        return self._start(list(command), DISPLAY=self.display)

    def sway(self, *words: str) -> Any:
        command = ["timeout", "10", "i3-msg", "-s", self.socket, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def is_window(self, node: dict[str, Any]) -> bool:
        return bool(node.get("window")) and node["window_properties"].get("class") != "i3bar"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with PrivateBus() as bus:
        desktop = Desktop(bus, tmp_path)
        with Desk(desktop, tmp_path, X11(desktop.environment)) as desk:
            yield desk


def test_terminals_are_focused_and_looked_at_in_i3(desk: Desk) -> None:
    desk.screen.sway("workspace 1")
    first = desk.terminal("first", "xterm", "-e")
    desk.screen.sway("workspace 2")
    second = desk.terminal("second", "xterm", "-e")
    for name, window in (("first", first), ("second", second), ("first", first)):
        desk.until(name, CanFocus=True)
        assert desk.focus(name) == 0
        assert desk.screen.focused == window
    desk.empty()
    for name in ("first", "second"):
        desk.clis[name].prompted()
        desk.clis[name].done()
        desk.until(name, State="completed")
    desk.screen.sway(f"[con_id={second}] focus")
    desk.until("second", State="idle")
    assert desk.sessions()["first"]["State"] == "completed"
    assert desk.focus("--next") == 0
    assert desk.screen.focused == first
