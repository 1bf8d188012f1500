"""A desktop without a screen: headless Sway on a private session bus, with pictures and a pointer.

Everything that is started in it ends with it, whatever became of its parents."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.busdaemon import PrivateBus
from tests.e2e.pointer import Pointer

WIDTH, HEIGHT = 1280, 720
CONFIG = f"""output HEADLESS-1 resolution {WIDTH}x{HEIGHT}
output * bg #335577 solid_color
seat seat0 fallback true
default_border pixel 2
xwayland disable
font pango:DejaVu Sans 10
"""
# Sway 1.7 refuses to run as root.
_NOT_ROOT = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--") if os.getuid() == 0 else ()
PATIENCE = 20.0  # seconds

Colour = tuple[int, int, int]


def until(holds: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """What the condition gives as soon as that is something; an AssertionError after so many seconds."""
    end = time.monotonic() + within
    while not (result := holds()):
        assert time.monotonic() < end, f"not within {within} s: {what}"
        time.sleep(0.05)
    return result


class Picture:
    """What was on the screen."""

    def __init__(self, ppm: bytes) -> None:
        found = re.match(rb"P6\s(\d+)\s(\d+)\s255\s", ppm)
        assert found
        self.width, self.height = int(found[1]), int(found[2])
        self.pixels = ppm[found.end() :]

    def row(self, y: int) -> list[Colour]:
        """The pixels of a line."""
        line = self.pixels[3 * self.width * y : 3 * self.width * (y + 1)]
        return [(line[x], line[x + 1], line[x + 2]) for x in range(0, len(line), 3)]

    def stretch(self, colour: Colour, y: int) -> tuple[int, int] | None:
        """The first and the last x of that colour on a line."""
        found = [x for x, pixel in enumerate(self.row(y)) if pixel == colour]
        return (found[0], found[-1]) if found else None


class Desktop:
    """A running Sway. ``environment`` is for programs that are to be on it, ``directory`` is theirs."""

    def __init__(self, bus: PrivateBus, home: Path) -> None:
        self.directory = bus.directory
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **{name: value for name, value in bus.environment.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")},
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local/share"),
            "XDG_CURRENT_DESKTOP": "sway",
            "XDG_SESSION_TYPE": "wayland",
            "LANG": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "GTK_A11Y": "none",
        }

    def spawn(self, *command: str, log: str = "") -> subprocess.Popen[bytes]:
        """Start a program; what it prints goes to that file of ``directory``."""
        with (self.directory / (log or f"{Path(command[0]).name}.log")).open("ab") as output:
            process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self._started.append(process)
        return process

    def start_sway(self) -> None:
        """Start Sway and wait until it answers."""
        (self.directory / "sway.config").write_text(CONFIG)
        headless = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}
        self.environment |= headless
        self.spawn(*_NOT_ROOT, "sway", "-c", str(self.directory / "sway.config"), log="sway.log")
        self.environment["SWAYSOCK"] = str(until(lambda: self._one("sway-ipc.*.sock"), "Sway's socket"))
        self.environment["WAYLAND_DISPLAY"] = until(lambda: self._one("wayland-[0-9]"), "Wayland's socket").name
        until(lambda: self.sway("-t", "get_version"), "an answer from Sway")

    def _one(self, pattern: str) -> Path | None:
        return next(iter(self.directory.glob(pattern)), None)

    def run(self, *command: str) -> bytes:
        """What a program prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=20, check=False)
        return done.stdout

    def sway(self, *arguments: str) -> Any:
        """An answer of ``swaymsg``, None if there is none."""
        text = self.run("swaymsg", "-r", *arguments)
        return json.loads(text) if text else None

    def windows(self) -> list[dict[str, Any]]:
        """All windows, as ``get_tree`` has them."""

        def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if node.get("pid"):
                yield node
            for child in [*node["nodes"], *node["floating_nodes"]]:
                yield from leaves(child)

        return list(leaves(self.sway("-t", "get_tree")))

    def picture(self, keep_as: str = "", part: str = f"0,0 {WIDTH}x{HEIGHT}") -> Picture:
        """What is on the screen now; that part of it kept as a PNG too, where pictures are kept."""
        if keep_as:
            self.run("grim", "-l", "9", "-g", part, str(kept(keep_as)))
        return Picture(self.run("grim", "-t", "ppm", "-"))

    def pointer(self) -> closing[Pointer]:
        """A mouse, as a context manager."""
        return closing(Pointer(self.environment, (WIDTH, HEIGHT)))

    def click(self, x: int, y: int, button: str = "left") -> None:
        """Press and release a button of the mouse there."""
        with self.pointer() as pointer:
            pointer.move(x, y)
            pointer.press(button)

    def processes(self, *words: str) -> list[int]:
        """The processes of this desktop whose command line has these words one after the other."""
        mark = f"XDG_RUNTIME_DIR={self.directory}".encode()
        wanted = b"\0".join(word.encode() for word in words)
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (place / "environ").read_bytes().split(b"\0") and wanted in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
        return found

    def end(self) -> None:
        """End whatever still runs."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()


D = TypeVar("D", bound=Desktop)


def kept(name: str) -> Path:
    """Where a picture of that name is kept: in $AIMOND_SCREENSHOTS, by default build/screenshots."""
    folder = Path(os.environ.get("AIMOND_SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"


@contextmanager
def desktop(home: Path, kind: type[D] = Desktop) -> Iterator[D]:
    """Sway on a bus of its own."""
    assert shutil.which("sway"), "install sway"
    with PrivateBus() as bus:
        here = kind(bus, home)
        try:
            here.start_sway()
            yield here
        finally:
            here.end()
