"""What a Sway without a screen shows, and a pointer to click on it.

Everything that is started here ends here, whatever became of its parents."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

from tests.e2e.headless import Screen, until
from tests.e2e.pointer import Pointer

WIDTH, HEIGHT = 1280, 720
Colour = tuple[int, int, int]


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
    """Programs on a screen that runs, and what they show. ``environment`` is theirs, ``directory`` for their files."""

    def __init__(self, screen: Screen, environment: dict[str, str]) -> None:
        self.screen, self.directory = screen, screen.runtime
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **environment,
            "SWAYSOCK": screen.socket,
            "WAYLAND_DISPLAY": screen.display,
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

    def run(self, *command: str) -> bytes:
        """What a program prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=20, check=False)
        return done.stdout

    def picture(self, keep_as: str = "", part: str = f"0,0 {WIDTH}x{HEIGHT}") -> Picture:
        """What is on the screen now; that part of it kept as a PNG too, where pictures are kept."""
        if keep_as:
            self.run("grim", "-l", "9", "-g", part, str(kept(keep_as)))
        return Picture(self.run("grim", "-t", "ppm", "-"))

    def area(self, colour: Colour) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom of that colour on the screen, None where it is not."""
        picture = self.picture()
        found = [(y, *it) for y in range(0, picture.height, 2) if (it := picture.stretch(colour, y))]
        if not found:
            return None
        return min(each[1] for each in found), found[0][0], max(each[2] for each in found), found[-1][0]

    def at_rest(self, colour: Colour, what: str) -> tuple[int, int, int, int]:
        """Where that colour is, once it moves no more."""
        seen = [self.area(colour)]

        def rests() -> tuple[int, int, int, int] | None:
            seen.append(self.area(colour))
            return seen[-1] if seen[-1] == seen[-2] else None

        return until(rests, what)

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


def install(environment: dict[str, str]) -> None:
    """Have name and icon put where desktops look, in $XDG_DATA_HOME, by `aimond install`."""
    command = [str(Path(sys.executable).with_name("aimond")), "install"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def kept(name: str) -> Path:
    """Where a picture of that name is kept: in $AIMOND_SCREENSHOTS, by default build/screenshots."""
    folder = Path(os.environ.get("AIMOND_SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"
