"""Who sits where: the real CLIs, set up for aimond, in four terminals on two workspaces of a Sway.

| workspace | terminal | sessions, by project |
|---|---|---|
| 1 | foot | web |
| 1 | foot with tmux of three panes | api, docs, site |
| 2 | a window of foot --server | shop |
| 2 | foot | game, where the user sits when an act begins |
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.e2e.bar import Bar
from tests.e2e.headless import Screen, until
from tests.e2e.monitor import Live
from tests.e2e.places import Place, place
from tests.e2e.realcli.clis import CLIS

T = TypeVar("T")
# Seconds. Six CLIs start at once, of which each takes two for itself on a machine with nothing else to do.
START = 120.0
AGAIN = 4.0


@dataclass(frozen=True)
class Seat:
    """Where a session sits. ``terminal``: ``foot``, ``tmux`` or ``served``; ``first``: what its CLI is told in between
    to begin with a prompt."""

    cli: str
    workspace: str
    terminal: str
    first: tuple[str, ...] = ()


SEATS = {
    "web": Seat("claude", "1", "foot"),
    "api": Seat("claude", "1", "tmux"),
    "docs": Seat("codex", "1", "tmux"),
    "site": Seat("gemini", "1", "tmux", ("-i",)),
    "shop": Seat("codex", "2", "served"),
    "game": Seat("gemini", "2", "foot", ("-i",)),
}


class Backstage:
    """The models, which answer in a thread of their own while a story waits for what is on the screen."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._all = AsyncExitStack()
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START)

    def place(self, cli: str, live: Live, *repositories: str) -> Place:
        return self.run(self._all.enter_async_context(place(CLIS[cli], live, *repositories)))

    def close(self) -> None:
        self.run(self._all.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Seated(Bar):
    """The desktop with its terminals. ``windows``: which window each session is in, and ``panes`` which pane, by
    project."""

    def __init__(self, screen: Screen, environment: dict[str, str], places: dict[str, Place]) -> None:
        super().__init__(screen, environment)
        self._places = places
        self.windows: dict[str, int] = {}
        self.panes: dict[str, str] = {}

    # -- the terminals ----------------------------------------------------------------------------

    def furnish(self) -> None:
        """Open all terminals; returns when each CLI has answered a first prompt, and the user sits in game."""
        screen = self.screen
        screen.sway("workspace", "1")
        self.windows["web"] = screen.opened("foot", *self._command("web"))
        self._split([name for name, seat in SEATS.items() if seat.terminal == "tmux"])
        screen.sway("workspace", "2")
        server = self.directory / "foot"
        screen.run("foot", f"--server={server}")
        until(server.exists, "foot --server")
        self.windows["shop"] = screen.opened("footclient", "-N", "-s", str(server), *self._command("shop"))
        self.windows["game"] = screen.opened("foot", *self._command("game"))
        for name in SEATS:
            until(lambda name=name: self._is_over(name), f"{name} has not begun", START)  # type: ignore[misc]
        self.settle()

    def _split(self, names: list[str]) -> None:
        begin = ("new-session", "-d", "-x", "78", "-y", "40", "-s", "work")
        for name in names:
            shown = ("-P", "-F", "#{pane_id}")
            self.panes[name] = self.tmux(*begin, *shown, shlex.join(self._command(name)))
            begin = ("split-window", "-d", "-t", "work:0")
            self.tmux("select-layout", "-t", "work:0", "even-vertical")
        self.attach()

    def _command(self, name: str) -> tuple[str, ...]:
        """The command of a terminal; a shell stays in between, as it does for people."""
        seat, here = SEATS[name], self._places[SEATS[name].cli]
        variables = [f"{key}={value}" for key, value in here.env.items() if key != "TERM"]
        argv = here.argv(*here.cli.interactive(), *seat.first, "Is all of it done?")
        started = shlex.join(["env", *variables, *argv])
        return "sh", "-c", f"cd {shlex.quote(str(here.directory(name)))}; {started}; true"

    def attach(self) -> None:
        """Show the panes in a window, on the workspace that is looked at."""
        shown = ("foot", "tmux", "-u", "-S", str(self.directory / "tmux"), "attach", "-t", "work")
        self.windows |= dict.fromkeys(self.panes, self.screen.opened(*shown))

    def tmux(self, *words: str) -> str:
        """What the tmux server says."""
        command = ["tmux", "-u", "-f", "/dev/null", "-S", str(self.directory / "tmux"), *words]
        return subprocess.check_output(command, env=self.environment, text=True, timeout=20).strip()

    @property
    def pane(self) -> str:
        """The project of the pane that is active."""
        active = self.tmux("display-message", "-p", "-t", "work:", "#{pane_id}")
        return next(name for name, pane in self.panes.items() if pane == active)

    # -- the user ---------------------------------------------------------------------------------

    def go_to(self, name: str) -> None:
        """Go to a window by keyboard."""
        self.screen.sway(f"[con_id={self.windows[name]}]", "focus")
        until(lambda: self.in_front(name), f"{name} is not in front")

    def in_front(self, name: str) -> bool:
        """Whether the tree of Sway has the focus at the window of that session, on its workspace."""
        window = self.screen.windows()[self.windows[name]]
        on = window["workspace"] == SEATS[name].workspace
        return bool(window["focused"] and window["visible"] and on and window["id"] == self.screen.focused)

    def keys(self, *words: str) -> None:
        """Press keys on a real keyboard, as wtype has them; whoever has the focus gets them."""
        self.run("wtype", "-s", "250", "-d", "5", *words)

    def say(self, name: str, steps: str) -> None:
        """Type a prompt into a session, in a pane without going there; returns when its model was asked."""
        label = f"{name}-{time.monotonic_ns()}"
        rows = self._places[SEATS[name].cli].mock.rows
        self._press(name, f"Go on [[label:{label};{steps}]]")
        time.sleep(0.8)  # or else Enter would look like a part of pasted text
        self._until_taken(name, "\r", lambda: any(row["label"] == label for row in list(rows)))

    def approve(self, name: str) -> None:
        """Say yes to its question, in a pane without going there; returns when that is known."""
        cli = CLIS[SEATS[name].cli]
        if name in self.panes:
            until(lambda: re.search(cli.approval, self.tmux("capture-pane", "-p", "-t", self.panes[name])), "no dialog")
        time.sleep(0.5)  # a key that comes as soon as the dialog is lost
        self._until_taken(name, cli.answers["approved"].decode(), lambda: self.sessions()[name]["State"] != "waiting")

    def _until_taken(self, name: str, key: str, taken: Callable[[], bool]) -> None:
        """Press a key; a program that was not ready for it gets it again, as from people."""
        for _ in range(3):
            self._press(name, key)
            end = time.monotonic() + AGAIN
            while time.monotonic() < end:
                if taken():
                    return
                time.sleep(0.05)
        raise AssertionError(f"{name} does not take {key!r}")

    def _press(self, name: str, text: str) -> None:
        if name in self.panes:
            self.tmux("send-keys", "-t", self.panes[name], "-H", *(f"{byte:02x}" for byte in text.encode()))
        else:
            assert self.in_front(name)
            self.keys(*(("-k", "Return") if text == "\r" else (text,)))

    def settle(self) -> None:
        """Nothing is asked, all was seen, nothing is shown; the user sits in game, on the other workspace."""
        for name in SEATS:
            until(lambda name=name: self._is_over(name), f"{name} is not done", START)  # type: ignore[misc]
        self.aimond("acknowledge", "--all")
        for name in SEATS:
            self.until(name, State="idle", CanFocus=True)
        self.go_to("game")
        self.shows("idle")

    # -- what is told -----------------------------------------------------------------------------

    def sessions(self) -> dict[str, dict[str, Any]]:
        """What the monitor says, by project."""
        told = json.loads(self.aimond("status", "--json") or '{"sessions": []}')["sessions"]
        return {session["Project"]: session for session in told if session["Parent"] == "/"}

    def until(self, name: str, **values: Any) -> None:
        """Wait until the session has these properties."""

        def holds() -> bool:
            there = self.sessions().get(name, {})
            return all(there.get(key) == value for key, value in values.items())

        until(holds, f"{name} never was {values}")

    def says(self, **values: Any) -> None:
        """Wait until the monitor itself has these properties."""

        def holds() -> bool:
            there = json.loads(self.aimond("status", "--json"))["monitor"]
            return all(there[key] == value for key, value in values.items())

        until(holds, f"the monitor never was {values}")

    def _is_over(self, name: str) -> bool:
        session = self.sessions().get(name, {"State": "", "Turns": 0})
        return session["Turns"] > 0 and session["State"] in ("completed", "quiet", "idle")
