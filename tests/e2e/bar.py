"""A Waybar on a Sway without a screen, with the configuration and the style of docs/waybar."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.busdaemon import PrivateBus
from tests.e2e.headless import Screen, until
from tests.e2e.wayland import Colour, Desktop

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "docs" / "waybar" / "style.css"
CONFIG = ROOT / "docs" / "waybar" / "config.jsonc"
AIMOND = f'#!/bin/sh\necho "$@" >>"$XDG_RUNTIME_DIR/aimond.calls"\nexec "{sys.executable}" -m aimond "$@"\n'
SESSION = "5b1e33a0-8f7d-4f0e-9a62-0c8e6a2b7d11"
EDGE = 2  # a line of the bar above its letters
MIDDLE = 14


def colour(state: str) -> Colour:
    """The background that the style has for a state."""
    found = re.search(rf"#custom-aimond\.{state}[^{{]*{{\s*background: #(\w\w)(\w\w)(\w\w)", STYLE.read_text())
    assert found, state
    red, green, blue = (int(part, 16) for part in found.groups())
    return red, green, blue


class Bar(Desktop):
    """A desktop with a bar."""

    waybar: subprocess.Popen[bytes]
    monitor: subprocess.Popen[bytes]

    def start_monitor(self) -> None:
        log = self.directory / "monitor.log"
        log.unlink(missing_ok=True)
        self.monitor = self.spawn("aimond", "run", log=log.name)
        until(lambda: "is ready" in log.read_text(), "the monitor")

    def start_bar(self, config: Path = CONFIG) -> None:
        self.waybar = self.spawn("waybar", "-c", str(config), "-s", str(STYLE))

    def shows(self, state: str) -> tuple[int, int]:
        """Where the module is, once it has the colour of that state."""
        wanted = colour(state)
        return until(lambda: self.picture().stretch(wanted, EDGE), f"a bar that shows {state}")

    def shows_not(self, state: str) -> None:
        """Wait until it has not the colour of that state."""
        until(lambda: not self.picture().stretch(colour(state), EDGE), f"a bar that no longer shows {state}")

    def press(self, button: str, state: str) -> None:
        """Click on the module, which has the colour of that state."""
        first, last = self.shows(state)
        self.click((first + last) // 2, MIDDLE, button)

    def aimond(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["aimond", *arguments], env=self.environment, input=stdin, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def hook(self, event: str, **fields: Any) -> None:
        """Let Claude Code tell of something."""
        where = {"session_id": SESSION, "cwd": str(self.directory), "hook_event_name": event, **fields}
        self.aimond("hook", "claude", stdin=json.dumps(where))

    def called(self, words: str) -> bool:
        with suppress(FileNotFoundError):
            return words in (self.directory / "aimond.calls").read_text().splitlines()
        return False


def installed(home: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment, with ``aimond`` on its PATH; what it is called with is written down."""
    program = home / "bin" / "aimond"
    program.parent.mkdir()
    program.write_text(AIMOND)
    program.chmod(0o755)
    return {**environment, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@contextmanager
def a_bar(home: Path) -> Iterator[Bar]:
    """A desktop where ``aimond`` is installed, without a monitor; the bar is still to be started."""
    config = home / ".config" / "aimond" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[otlp]\nhttp_port = 0\ngrpc_port = 0\n")
    with PrivateBus() as bus:
        places = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
        environment = installed(home, {**bus.environment, **places})
        screen = Screen(environment)
        try:
            screen.start()
            here = Bar(screen, environment)
            try:
                yield here
            finally:
                here.end()
        finally:
            screen.stop()
