"""Sway for real: four terminals on two workspaces, one of them tmux with three panes, one a server of two windows."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.test_command_line import Desktop
from tests.e2e import unit
from tests.e2e.headless import Desk, Screen, until

ALL = ("alone", "pane-0", "pane-1", "pane-2", "first", "second", "other")


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with unit.desktop(tmp_path) as desktop:
        yield desktop


class Four:
    """The desk with its terminals, and which window each session is in."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.runtime = desk, desk.screen.runtime
        self.windows: dict[str, int] = {}

    def furnish(self, suffix: str = "") -> None:
        screen, desk = self.desk.screen, self.desk
        screen.sway("workspace", "1")
        self.windows[f"alone{suffix}"] = desk.terminal(f"alone{suffix}")
        self.tmux(suffix)
        screen.sway("workspace", "2")
        server = self.runtime / f"foot{suffix}"
        screen.run("foot", f"--server={server}")
        until(server.exists)
        for name in (f"first{suffix}", f"second{suffix}"):
            self.windows[name] = desk.terminal(name, "footclient", "-N", "-s", str(server))
        self.windows[f"other{suffix}"] = desk.terminal(f"other{suffix}")
        assert len(screen.windows()) == 5

    def tmux(self, suffix: str) -> None:
        """Panes 0 and 1 in the first window, 2 in the other; 1 is active where one looks."""
        desk, commands = self.desk, [self.desk.cli(f"pane-{index}{suffix}").command for index in range(3)]
        self.desk.tmux("new-session", "-d", "-x", "80", "-y", "24", "-s", f"work{suffix}", commands[0])
        self.desk.tmux("split-window", "-t", f"work{suffix}:0", commands[1])
        self.desk.tmux("new-window", "-d", "-t", f"work{suffix}:", commands[2])
        self.attach(suffix)
        desk.greet()

    def attach(self, suffix: str = "") -> None:
        attach = ("foot", "tmux", "-S", str(self.runtime / "tmux"), "attach", "-t", f"work{suffix}")
        window = self.desk.screen.opened(*attach)
        self.windows |= {f"pane-{index}{suffix}": window for index in range(3)}

    def pane(self, suffix: str = "") -> str:
        """Which one is looked at: window and index."""
        return self.desk.tmux("display-message", "-p", "-t", f"work{suffix}:", "#{window_index}.#{pane_index}")


PANES = {"pane-0": "0.0", "pane-1": "0.1", "pane-2": "1.0"}


@pytest.fixture
def four(desktop: Desktop, tmp_path: Path) -> Iterator[Four]:
    with Desk(desktop, tmp_path) as desk:
        four = Four(desk)
        four.furnish()
        yield four
        desk.tmux("kill-server")


def test_every_session_is_found_and_focused(four: Four) -> None:
    for name in ALL:
        four.desk.until(name, CanFocus=True)
    for name in (*ALL, *reversed(ALL)):
        assert four.desk.focus(name) == 0, name
        assert four.desk.screen.focused == four.windows[name], name
        if name in PANES:
            assert four.pane() == PANES[name]
    workspaces = {name: four.desk.screen.windows()[window]["workspace"] for name, window in four.windows.items()}
    assert workspaces["alone"] == workspaces["pane-0"] == "1"
    assert workspaces["first"] == workspaces["second"] == workspaces["other"] == "2"
    four.desk.screen.sway(f"[con_id={four.windows['alone']}] move scratchpad")
    until(lambda: four.desk.screen.focused != four.windows["alone"])
    assert four.desk.focus("alone") == 0
    assert four.desk.screen.focused == four.windows["alone"]


def test_windows_that_were_there_before_the_monitor_are_told_apart_by_asking(four: Four) -> None:
    """Their titles are as they were, afterwards."""
    desk = four.desk
    titles = {window: node["name"] for window, node in desk.screen.windows().items()}
    desk.restart()
    for name in ("second", "first"):
        desk.clis[name].open()
        desk.until(name, CanFocus=True)
    desk.empty()
    for name in ("second", "first", "second"):
        assert desk.focus(name) == 0
        assert desk.screen.focused == four.windows[name]
    until(lambda: {window: node["name"] for window, node in desk.screen.windows().items()} == titles)


def test_the_next_one_that_needs_its_user_is_the_longest_wait_of_the_most_urgent_state(four: Four) -> None:
    desk = four.desk
    desk.empty()
    for name in ("other", "pane-2", "first"):
        desk.clis[name].prompted()
    desk.clis["other"].done()
    desk.until("other", State="completed")
    desk.clis["pane-2"].asks()
    desk.until("pane-2", State="waiting")
    desk.clis["first"].asks()
    desk.until("first", State="waiting")
    went = []
    for _ in range(4):
        assert desk.focus("--next") == 0
        went.append((desk.screen.focused, four.pane() if desk.screen.focused == four.windows["pane-2"] else ""))
    order = [(four.windows["pane-2"], "1.0"), (four.windows["first"], ""), (four.windows["other"], "")]
    assert went == [*order, order[0]]
    desk.until("other", State="idle")
    assert {name: desk.sessions()[name]["State"] for name in ("pane-2", "first")} == {
        "pane-2": "waiting",
        "first": "waiting",
    }


def test_nobody_is_focused_when_nobody_needs_it(four: Four) -> None:
    four.desk.empty()
    done = four.desk.desktop.run("focus")
    assert done.returncode == 1
    assert "no session needs you" in done.stderr
    assert four.desk.screen.focused == 0
    assert four.desk.focus("nobody") == 1


def test_what_the_user_looks_at_is_acknowledged_and_nothing_else(four: Four) -> None:
    desk = four.desk
    desk.focus("pane-0")
    desk.empty()
    for name in ALL:
        desk.clis[name].prompted()
        desk.clis[name].done()
        desk.until(name, State="completed")
    seen = []
    # By hand, as a user would; in tmux only the pane that is active counts.
    for name in ("second", "pane-0", "alone"):
        desk.screen.sway(f"[con_id={four.windows[name]}]", "focus")
        desk.until(name, State="idle")
        seen.append(name)
        states = {name: session["State"] for name, session in desk.sessions().items()}
        assert {name for name, state in states.items() if state == "idle"} == set(seen)


def test_passing_by_is_not_looking(four: Four) -> None:
    desk = four.desk
    desk.empty()
    desk.clis["alone"].prompted()
    desk.clis["alone"].done()
    desk.until("alone", State="completed")
    for _ in range(3):
        desk.screen.sway(f"[con_id={four.windows['alone']}]", "focus")
        desk.screen.sway("workspace", "9")
    time.sleep(1.5)
    assert desk.sessions()["alone"]["State"] == "completed"


def test_what_is_done_before_the_users_eyes_is_acknowledged(four: Four) -> None:
    desk = four.desk
    assert desk.focus("other") == 0
    desk.clis["other"].prompted()
    desk.clis["other"].done()
    desk.until("other", State="completed")
    desk.until("other", State="idle")


def test_a_window_that_is_closed_takes_its_focus_along(four: Four) -> None:
    """A tmux session goes on without its terminal, and is found again in the next one."""
    desk = four.desk
    desk.until("pane-1", CanFocus=True)
    desk.screen.sway(f"[con_id={four.windows['pane-1']}]", "kill")
    desk.until("pane-1", CanFocus=False)
    assert desk.focus("pane-1") == 1
    desk.screen.sway("workspace", "3")
    four.attach()
    desk.until("pane-1", CanFocus=True)
    desk.empty()
    assert desk.focus("pane-1") == 0
    assert desk.screen.focused == four.windows["pane-1"]


def test_sway_may_die_and_come_back(four: Four) -> None:
    desk = four.desk
    desk.until("alone", CanFocus=True)
    desk.clis["pane-0"].prompted()
    desk.screen.stop()
    desk.until("pane-0", CanFocus=False, State="working")
    assert desk.focus("pane-0") == 1
    desk.clis["pane-0"].done()  # tmux outlives the screen
    desk.until("pane-0", State="completed")
    desk.screen.start()
    four.attach()
    desk.until("pane-0", CanFocus=True)
    desk.empty()
    assert desk.focus("--next") == 0
    assert desk.screen.focused == four.windows["pane-0"]
    assert four.pane() == "0.0"
    window = desk.terminal("later")
    desk.until("later", CanFocus=True)
    desk.empty()
    assert desk.focus("later") == 0
    assert desk.screen.focused == window


def test_a_sway_that_does_not_answer_costs_two_seconds(four: Four) -> None:
    desk = four.desk
    desk.until("alone", CanFocus=True)
    (sway,) = [int(path.name.split(".")[-2]) for path in [Path(desk.screen.socket)]]
    os.kill(sway, signal.SIGSTOP)
    began = time.monotonic()
    assert desk.focus("alone") == 1
    took = time.monotonic() - began
    os.kill(sway, signal.SIGCONT)
    assert took < 5
    desk.until("alone", CanFocus=True)
    desk.empty()
    assert desk.focus("alone") == 0
    assert desk.screen.focused == four.windows["alone"]


def test_a_waiting_sessions_window_is_urgent_until_it_is_answered(desktop: Desktop, tmp_path: Path) -> None:
    with desktop.config.open("a") as config:
        config.write("[sway]\nurgent = true\n")
    with Desk(desktop, tmp_path) as desk:
        window = desk.terminal("asking")
        desk.until("asking", CanFocus=True)
        desk.empty()
        desk.clis["asking"].prompted()
        desk.clis["asking"].asks()
        until(lambda: desk.screen.windows()[window]["urgent"])
        desk.clis["asking"].hooks("PostToolUse", tool_name="Bash")
        until(lambda: not desk.screen.windows()[window]["urgent"])


def test_a_session_on_another_screen_behind_a_full_one_comes_to_the_front(desktop: Desktop, tmp_path: Path) -> None:
    with Desk(desktop, tmp_path, Screen(desktop.environment, outputs=2)) as desk:
        behind = desk.terminal("behind")
        full = desk.screen.opened("foot")
        desk.screen.sway(f"[con_id={full}]", "fullscreen enable")
        desk.screen.sway("focus output HEADLESS-2")
        until(lambda: desk.screen.focused == 0)
        desk.until("behind", CanFocus=True)
        assert desk.focus("behind") == 0
        window = desk.screen.windows()[behind]
        assert (window["focused"], window["visible"]) == (True, True)


def test_a_tab_that_is_hidden_comes_to_the_front(desktop: Desktop, tmp_path: Path) -> None:
    with Desk(desktop, tmp_path) as desk:
        hidden = desk.terminal("hidden")
        desk.screen.sway("layout tabbed")
        other = desk.screen.opened("foot")
        until(lambda: not desk.screen.windows()[hidden]["visible"])
        desk.until("hidden", CanFocus=True)
        assert desk.focus("hidden") == 0
        assert desk.screen.windows()[hidden]["visible"]
        assert not desk.screen.windows()[other]["visible"]


def test_tmux_in_tmux_is_followed_to_its_window(desktop: Desktop, tmp_path: Path) -> None:
    with Desk(desktop, tmp_path) as desk:
        inner = f"tmux -f /dev/null -S {desk.screen.runtime}/inner new-session {shlex.quote(desk.cli('deep').command)}"
        desk.tmux("new-session", "-d", "-s", "outer", f"TMUX= {inner}; true")  # from a shell, as people do
        desk.tmux("new-window", "-t", "outer:")
        window = desk.screen.opened("foot", "tmux", "-S", str(desk.screen.runtime / "tmux"), "attach")
        desk.greet()
        desk.until("deep", CanFocus=True)
        desk.empty()
        assert desk.focus("deep") == 0
        assert desk.screen.focused == window
        assert desk.tmux("display-message", "-p", "-t", "outer:", "#{window_index}") == "0"
        desk.tmux("kill-server")


def test_while_nothing_happens_nothing_is_done(desktop: Desktop, tmp_path: Path) -> None:
    with Desk(desktop, tmp_path) as desk:
        desk.terminal("idle")
        desk.until("idle", CanFocus=True)
        time.sleep(5)  # what opened is over
        assert woken(desk.monitor, 10) <= 2


def woken(pid: int, seconds: float) -> int:
    """How often the main thread of a process was woken."""

    def switches() -> int:
        status = Path(f"/proc/{pid}/task/{pid}/status").read_text()
        return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

    before = switches()
    time.sleep(seconds)
    return switches() - before


def test_the_monitor_may_be_there_first(desktop: Desktop, tmp_path: Path) -> None:
    """Desk starts it before Sway; with nothing else said, the socket is found."""
    assert "SWAYSOCK" not in desktop.environment
    with Desk(desktop, tmp_path) as desk:
        window = desk.terminal("one")
        desk.until("one", CanFocus=True, Terminal=until(lambda: desk.sessions()["one"]["Terminal"]))
        assert shlex.quote(desk.sessions()["one"]["Terminal"]).startswith("/dev/pts/")
        desk.empty()
        assert desk.focus() == 1
        assert desk.focus("one") == 0
        assert desk.screen.focused == window
