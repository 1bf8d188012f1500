"""Notifications and windows together, in a real Sway with mako: a click leads to the terminal, and nothing is shown of
what is looked at."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.headless import Desk, until
from tests.e2e.unit import desktop


class Furnished:
    """A desk with mako on it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.screen.run("mako", "--font", "DejaVu Sans 12")
        until(lambda: self._makoctl("list"), "mako has not started")

    def _makoctl(self, *words: str) -> str:
        environment = self.desk.desktop.environment
        command = ["timeout", "10", "makoctl", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    def shown(self) -> list[dict[str, Any]]:
        told = json.loads(self._makoctl("list") or '{"data": [[]]}')
        return [{name: value["data"] for name, value in each.items()} for each in told["data"][0]]

    def projects(self) -> list[str]:
        return sorted(each["summary"].split()[3] for each in self.shown())

    def click(self, project: str, action: str) -> None:
        (number,) = [each["id"] for each in self.shown() if each["summary"].split()[3] == project]
        self._makoctl("invoke", "-n", str(number), action)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Furnished]:
    with desktop(tmp_path) as machine, Desk(machine, tmp_path) as desk:
        yield Furnished(desk)


@pytest.mark.parametrize("action", ["focus", "default"])
def test_a_click_leads_to_the_terminal(here: Furnished, action: str) -> None:
    screen = here.desk.screen
    screen.sway("workspace", "1")
    windows = {name: here.desk.terminal(name) for name in ("one", "two")}
    screen.sway("workspace", "2")
    windows["three"] = here.desk.terminal("three")
    for name in windows:
        here.desk.until(name, CanFocus=True)
    here.desk.empty()
    for name in windows:
        here.desk.clis[name].prompted()
        here.desk.clis[name].asks()
    until(lambda: here.projects() == ["one", "three", "two"], "not all three are shown")
    assert all(set(each["actions"]) == {"default", "focus", "dismiss"} for each in here.shown())
    for name in ("one", "three", "two"):
        here.click(name, action)
        until(lambda name=name: screen.focused == windows[name], f"{name} is not in front")  # type: ignore[misc]
    assert here.projects() == []


def test_nothing_is_shown_of_the_window_in_front(here: Furnished) -> None:
    for name in ("behind", "before"):
        here.desk.terminal(name)
        here.desk.until(name, CanFocus=True)
    for name in ("before", "behind"):
        here.desk.clis[name].prompted()
        here.desk.clis[name].asks()
    until(lambda: here.projects() == ["behind"], "it is not the one behind that is shown")
    here.desk.until("before", State="waiting")


def test_of_panes_only_the_one_in_front_is_looked_at(here: Furnished) -> None:
    commands = [here.desk.cli(f"pane-{number}").command for number in range(2)]
    here.desk.tmux("new-session", "-d", "-x", "80", "-y", "24", "-s", "work", commands[0])
    here.desk.tmux("new-window", "-t", "work:", commands[1])
    here.desk.screen.opened("foot", "tmux", "-S", os.fspath(here.desk.screen.runtime / "tmux"), "attach", "-t", "work")
    here.desk.greet()
    for name in ("pane-0", "pane-1"):
        here.desk.until(name, CanFocus=True)
    for name in ("pane-1", "pane-0"):
        here.desk.clis[name].prompted()
        here.desk.clis[name].asks()
    until(lambda: here.projects() == ["pane-0"], "it is not the pane behind that is shown")
    here.click("pane-0", "focus")
    until(lambda: here.desk.tmux("display-message", "-p", "-t", "work", "#{window_index}") == "0", "the pane is behind")


def test_a_monitor_that_starts_again_knows_the_windows_and_who_still_waits(here: Furnished) -> None:
    for name in ("behind", "before"):
        here.desk.terminal(name)
        here.desk.until(name, CanFocus=True)
    for name in ("before", "behind"):
        here.desk.clis[name].prompted()
        here.desk.clis[name].asks()
    until(lambda: here.projects() == ["behind"], "it is not the one behind that is shown")
    here.desk.restart()
    until(lambda: here.projects() == ["behind"], "it is not asked again of the one behind, and of that alone")
    for name in ("behind", "before"):
        here.desk.until(name, CanFocus=True, State="waiting")
    (shown,) = here.shown()
    assert set(shown["actions"]) == {"default", "focus", "dismiss"}
