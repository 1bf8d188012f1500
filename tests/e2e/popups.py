"""Real notification daemons on a headless Sway, and a monitor whose sessions are told by hooks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimond.bus.client import Monitor
from tests.busdaemon import PrivateBus

GENEROUS = 30.0  # seconds
SWAY = "output HEADLESS-1 resolution 1280x720\nxwayland disable\noutput * bg #335577 solid_color\n"
CONFIG = "[otlp]\nhttp_port = 0\ngrpc = false\n[notifications]\nmin_duration = 0\n"
# Sway 1.7 refuses to be root; what runs in it need not.
NOT_ROOT = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] if os.geteuid() == 0 else []


async def until(asked: Callable[[], Any], what: str) -> Any:
    """Ask again and again until the answer is yes."""
    end = time.monotonic() + GENEROUS
    while True:
        answer = asked()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < end, what
        await asyncio.sleep(0.03)


@dataclass
class Popups:
    """What is on the screen; ``daemon`` is the one that draws it."""

    bus: PrivateBus
    daemon: str
    environment: dict[str, str]
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        log = (self.bus.directory / f"{name}.log").open("ab")
        with log:
            self.programs[name] = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """Its sudden death, and that of what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.programs[name].pid, signal.SIGKILL)
        self.programs.pop(name).wait()

    def ask(self, *command: str) -> str:
        """What a program prints; a client without a daemon can hang for ever."""
        done = subprocess.run(["timeout", "10", *command], env=self.environment, capture_output=True, text=True)
        return done.stdout

    async def start_screen(self) -> None:
        config = self.bus.directory / "sway.conf"
        config.write_text(SWAY)
        headless = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}
        self.environment |= headless
        self.start("sway", *NOT_ROOT, "sway", "-c", str(config))
        sockets = await until(lambda: list(self.bus.directory.glob("sway-ipc.*.sock")), "Sway has not started")
        self.environment["SWAYSOCK"] = str(sockets[0])
        (display,) = await until(lambda: list(self.bus.directory.glob("wayland-[0-9]")), "there is no Wayland")
        self.environment["WAYLAND_DISPLAY"] = display.name
        await until(lambda: self.ask("swaymsg", "-t", "get_version"), "Sway does not answer")

    async def start_daemon(self) -> None:
        self.start(
            self.daemon, *([self.daemon, "--font", "DejaVu Sans 12"] if self.daemon == "mako" else [self.daemon])
        )
        owned = ["org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s"]
        owner = ["busctl", f"--address={self.bus.address}", "call", *owned, "org.freedesktop.Notifications"]
        await until(lambda: "true" in self.ask(*owner), f"{self.daemon} has not started")

    def shown(self) -> list[dict[str, Any]]:
        """What mako shows."""
        told = json.loads(self.ask("makoctl", "list") or '{"data": [[]]}')
        return [{name: value["data"] for name, value in each.items()} for each in told["data"][0]]

    def texts(self) -> list[str]:
        return sorted(each["summary"] for each in self.shown())

    def count(self) -> int:
        """How many notifications there are."""
        if self.daemon == "mako":
            return len(self.shown())
        told = self.ask("swaync-client", "--count", "--skip-wait").strip()
        return int(told) if told.isdigit() else -1

    async def rest(self) -> None:
        """Wait until nothing on the screen moves any more."""
        seen = [b""]

        def is_still() -> bool:
            seen.append(subprocess.run(["grim", "-t", "ppm", "-"], env=self.environment, capture_output=True).stdout)
            return seen[-1] == seen[-2]

        await until(is_still, "the screen never rests")

    def picture(self, name: str) -> None:
        """Keep one of its upper right part."""
        folder = Path(os.environ.get("AIMOND_SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
        folder.mkdir(parents=True, exist_ok=True)
        self.ask("grim", "-g", "640,0 640x240", str(folder / f"{name}.png"))
        assert (folder / f"{name}.png").stat().st_size > 1000


class Agent:
    """One session of Claude Code, as its hooks tell it."""

    def __init__(self, monitor: Monitor, session: str, directory: str) -> None:
        self._monitor, self.session, self._directory = monitor, session, directory

    async def _hook(self, event: str, **more: Any) -> None:
        payload = {"hook_event_name": event, "session_id": self.session, "cwd": self._directory, **more}
        await self._monitor.call("Hook", "claude-code", json.dumps(payload), {})

    async def works(self) -> None:
        await self._hook("SessionStart", source="startup")
        await self._hook("UserPromptSubmit", prompt="go on")

    async def asks(self, tool: str = "Bash") -> None:
        await self._hook("PermissionRequest", tool_name=tool, tool_input={})

    async def is_answered(self, tool: str = "Bash") -> None:
        await self._hook("PostToolUse", tool_name=tool, tool_input={}, tool_response={})

    async def stops(self) -> None:
        await self._hook("Stop", stop_hook_active=False, background_tasks=[])

    async def state(self) -> str:
        return str((await self._monitor.call("GetSession", self.session))["State"])


@contextmanager
def popups(daemon: str, home: Path) -> Iterator[Popups]:
    """A bus, and the programs of a desktop to be started on it."""
    for program in ("sway", daemon, "grim", "busctl"):
        assert shutil.which(program), f"install {program}"
    with PrivateBus() as bus:
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK")
        mine = {name: value for name, value in bus.environment.items() if name not in hidden}
        mine |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data")}
        mine |= {"LANG": "C.UTF-8", "NO_AT_BRIDGE": "1", "GTK_A11Y": "none", "XDG_SESSION_TYPE": "wayland"}
        desk = Popups(bus, daemon, mine)
        shutil.copytree(Path(__file__).parents[2] / "data", home / "data")  # as an installed package has it
        config = home / "config" / "aimond" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG)
        try:
            yield desk
        finally:
            for name in reversed(list(desk.programs)):
                desk.kill(name)


def start_monitor(desk: Popups) -> None:
    """Start aimond on that desktop."""
    desk.start("aimond", sys.executable, "-m", "aimond", "run")
