"""A whole desktop: terminals with the real CLIs, a bar, and a notification daemon; what is shown on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop as Monitored
from tests.e2e.bar import installed
from tests.e2e.headless import GENEROUS, Screen, until
from tests.e2e.monitor import Live
from tests.e2e.realcli.clis import CLIS
from tests.e2e.seats import SEATS, Backstage, Seated
from tests.e2e.wayland import WIDTH, Colour, install

# A budget is there to be looked at, not to be told of.
SETTINGS = "[[budget]]\nlimit = 0.5\nthresholds = [1000]\n[notifications]\n"
USUAL = "min_duration = 1\n"
# What Claude Code need not ask for.
SLEEPS = '{"permissions": {"allow": ["Bash(sleep:*)"]}}'
# By these a notification is found on the screen.
QUESTION: Colour = (0xF6, 0xC3, 0x44)
BUTTON: Colour = (0x2A, 0x52, 0x86)
NOTES = f"{WIDTH - 540},28 540x150"
MAKO = """font=DejaVu Sans 11
width=430
default-timeout=0
border-color=#7fb36a
icon-path={icons}
[category=x-aimond.waiting]
border-color=#f6c344
"""
SWAYNC = '{"positionX": "right", "positionY": "top", "timeout": 0, "timeout-critical": 0}'
STYLE = f".notification-action {{ background: rgb{BUTTON}; color: white; }}"
TOP = "top"


class Whole(Seated):
    """All of it; whatever dies may be started again. Of aimond the ``process`` is known, which goes on."""

    def __init__(self, process: subprocess.Popen[str], *desktop: Any) -> None:
        super().__init__(*desktop)
        self._process = process
        self._notes: subprocess.Popen[bytes] | None = None

    def set_notifications(self, keys: str = USUAL) -> None:
        """Write that table of the settings; returns when they have been read again."""
        config = Path(self.environment["XDG_CONFIG_HOME"]) / "aimond" / "config.toml"
        head, table, _ = config.read_text().partition("[notifications]\n")
        config.write_text(head + table + keys)
        self._process.send_signal(signal.SIGHUP)
        assert self._process.stderr
        while "settings read again" not in self._process.stderr.readline():
            assert self._process.poll() is None

    def start_notifications(self, daemon: str) -> None:
        """Start ``mako`` or ``swaync``; returns when it takes notifications."""
        config, style = self.directory / f"{daemon}.conf", self.directory / f"{daemon}.css"
        config.write_text({"mako": MAKO.format(icons="/usr/share/icons/hicolor"), "swaync": SWAYNC}[daemon])
        style.write_text(STYLE)
        more = ("-s", str(style)) if daemon == "swaync" else ()
        self._notes = self.spawn(daemon, "-c", str(config), *more)
        asked = ["busctl", "--user", "status", "org.freedesktop.Notifications"]
        until(lambda: self.run(*asked), f"{daemon} has not started")

    def end_notifications(self) -> None:
        """The sudden death of the notification daemon, if there is one."""
        if self._notes:
            self._notes.kill()
            self._notes.wait()
        self._notes = None

    def start_top(self) -> None:
        """Open ``aimond top`` in a terminal of 80 × 24, which gets the keys."""
        self.screen.sway(f'for_window [app_id="^{TOP}$"] floating enable')
        self._top = self.screen.opened("foot", "-a", TOP, "-W", "80x24", "aimond", "top")
        until(lambda: self.screen.focused == self._top, "top has no focus")
        until(lambda: any(map(_takes_keys, self.processes("-m", "aimond", "top"))), "top does not take keys")

    def end_top(self) -> None:
        self.screen.sway(f'[app_id="^{TOP}$"]', "kill")

    def die(self) -> None:
        """The sudden death of Sway with all terminals, of the bar and of the notification daemon."""
        self.end_notifications()
        self.waybar.kill()
        self.screen.stop()
        self.waybar.wait()

    def come_back(self) -> None:
        """Sway and the bar are started again, and a terminal for the panes; the user sits in another one."""
        self.screen.start()
        self.environment |= {"SWAYSOCK": self.screen.socket, "WAYLAND_DISPLAY": self.screen.display}
        self.start_bar()
        self.screen.sway("workspace", "1")
        self.attach()
        self.screen.sway("workspace", "2")
        self.windows["game"] = self.screen.opened("foot")

    # -- what is shown ----------------------------------------------------------------------------

    def shown(self) -> list[dict[str, Any]]:
        """What mako shows."""
        told = json.loads(self.run("timeout", "10", "makoctl", "list") or '{"data": [[]]}')
        return [{name: value["data"] for name, value in each.items()} for each in told["data"][0]]

    def shows_notes(self, *names: str) -> list[dict[str, Any]]:
        """Wait until mako shows notifications of just these projects, or summaries; returned in that order."""

        notes: dict[str, dict[str, Any]] = {"nothing": {}}
        end = time.monotonic() + GENEROUS
        while set(notes) != set(names):
            assert time.monotonic() < end, f"not just {names}: {list(notes)}"
            notes = {_project(each["summary"]): each for each in self.shown()}
        return [notes[name] for name in names]

    def middle_of(self, colour: Colour) -> tuple[int, int]:
        """The middle of what has that colour, once it moves no more."""
        left, top, right, bottom = self.at_rest(colour, f"nothing on the screen is {colour}")
        return (left + right) // 2, (top + bottom) // 2

    def picture_of_notes(self, name: str) -> None:
        """Keep a picture of where notifications are, once nothing moves there any more."""
        self._rests(lambda: self.run("grim", "-t", "ppm", "-g", NOTES, "-"))
        self.picture(name, NOTES)

    def picture_of_top(self, name: str) -> None:
        """Keep a picture of ``aimond top``, without its borders."""
        place = self.screen.windows()[self._top]["rect"]
        part = "{x},{y} {width}x{height}".format(**place)
        self._rests(lambda: self.run("grim", "-t", "ppm", "-g", part, "-"))
        self.picture(name, part)

    @staticmethod
    def _rests(looked_at: Callable[[], bytes]) -> None:
        seen = [looked_at()]

        def is_still() -> bool:
            seen.append(looked_at())
            return seen[-1] == seen[-2]

        until(is_still, "the screen never rests")


def _takes_keys(pid: int) -> bool:
    """Whether a program has its terminal give it keys as they are typed; what was typed before is lost."""
    with suppress(OSError):
        terminal = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY)
        try:
            return not termios.tcgetattr(terminal)[3] & termios.ICANON
        finally:
            os.close(terminal)
    return False


def _project(summary: str) -> str:
    found = re.match(r".+ in (\S+) (?:is|has|failed)", summary)
    return found[1] if found else summary


@contextmanager
def whole(home: Path) -> Iterator[Whole]:
    """A desktop with all of it started, but for a bar and a notification daemon; aimond's files are where
    ``aimond install`` puts them."""
    with PrivateBus() as bus:
        monitored = Monitored(bus, home)
        with monitored.config.open("a") as config:
            config.write(SETTINGS + USUAL)
        monitored.environment |= {"LANG": "C.UTF-8", "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
        environment = installed(home, monitored.environment)
        install(environment)
        screen, backstage = Screen(environment), Backstage()
        try:
            screen.start()
            with monitored.monitor() as monitor:
                here = Whole(monitor, screen, environment, _places(backstage, environment))
                try:
                    yield here
                finally:
                    here.end()
        finally:
            backstage.close()
            screen.stop()


def _places(backstage: Backstage, environment: dict[str, str]) -> Any:
    live = Live("", "", [], {name: environment[name] for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")})
    repositories = {cli: [name for name, seat in SEATS.items() if seat.cli == cli] for cli in CLIS}
    places = {cli: backstage.place(cli, live, *names) for cli, names in repositories.items()}
    CLIS["claude"].set_extra(places["claude"].home, SLEEPS)
    return places
