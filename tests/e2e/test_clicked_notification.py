"""A mouse that clicks on what a notification daemon draws: the session's terminal comes to the front, from another
workspace; what is answered is no longer drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.busdaemon import PrivateBus
from tests.daemon import test_command_line
from tests.e2e.headless import Desk, until
from tests.e2e.wayland import WIDTH, Colour, Desktop, install

ASKS = "Claude Code in {} is waiting for you"
# What no terminal and no theme has: by it each session's notification is found on the screen.
COLOURS: dict[str, Colour] = {"beside": (0x20, 0x80, 0x20), "far": (0x90, 0x20, 0x90), "farther": (0x90, 0x60, 0x10)}
PLACES = {"1": ("beside", "here"), "2": ("far", "farther")}
PART = f"{WIDTH // 2},0 {WIDTH // 2}x360"
MAKO = "font=DejaVu Sans 12\nanchor=top-right\nborder-size=0\n"
SWAYNC = '{"positionX": "right", "positionY": "top", "timeout": 0, "timeout-critical": 0}'
BUTTON: Colour = (0x20, 0x20, 0x90)


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


class Clicked(Desktop):
    """A desktop with four terminals on two workspaces; its user is in the one called "here"."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.screen, desk.desktop.environment)
        self.desk = desk
        self.windows: dict[str, int] = {}
        for workspace in reversed(PLACES):
            desk.screen.sway("workspace", workspace)
            for name in PLACES[workspace]:
                self.windows[name] = desk.terminal(name)
        for name in self.windows:
            desk.until(name, CanFocus=True)
        assert desk.screen.focused == self.windows["here"]

    def start(self, *command: str) -> None:
        """Start a notification daemon."""
        self.spawn(*command)
        asked = ["busctl", "--user", "status", "org.freedesktop.Notifications"]
        until(lambda: self.run(*asked), f"{command[0]} has not started")

    def asks(self, name: str) -> None:
        self.desk.clis[name].prompted()
        self.desk.clis[name].asks()

    def is_answered(self, name: str) -> None:
        self.desk.clis[name].hooks("PostToolUse", tool_name="Bash", tool_input={}, tool_response={})

    def in_front(self, name: str) -> bool:
        """Whether the tree of Sway has the focus there, on its workspace."""
        (place,) = [workspace for workspace, names in PLACES.items() if name in names]
        window = self.screen.windows()[self.windows[name]]
        return bool(window["focused"] and window["visible"] and window["workspace"] == place)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Clicked]:
    with PrivateBus() as bus:
        desktop = test_command_line.Desktop(bus, tmp_path)
        desktop.environment["XDG_DATA_HOME"] = str(tmp_path / "data")
        install(desktop.environment)
        with Desk(desktop, tmp_path) as desk:
            clicked = Clicked(desk)
            try:
                yield clicked
            finally:
                clicked.end()


def test_a_click_on_a_notification_leads_to_its_terminal_on_the_other_workspace(here: Clicked, tmp_path: Path) -> None:
    rules = [f'[summary="{ASKS.format(name)}"]\nbackground-color={_css(COLOURS[name])}\n' for name in COLOURS]
    (tmp_path / "mako.conf").write_text(MAKO + "".join(rules))
    here.start("mako", "-c", str(tmp_path / "mako.conf"))
    for name in COLOURS:
        here.asks(name)
    for name, colour in COLOURS.items():
        here.at_rest(colour, f"the question of {name} is not on the screen")
    assert here.in_front("here")
    here.picture("notification-before-the-click", PART)

    left, top, right, bottom = here.at_rest(COLOURS["far"], "the question of far is gone")
    assert right > WIDTH - 50
    here.click((left + right) // 2, (top + bottom) // 2)
    until(lambda: here.in_front("far"), "the click has not led to the terminal")
    until(lambda: not here.area(COLOURS["far"]), "what was clicked on is still shown")
    here.picture("notification-after-the-click", PART)

    assert here.area(COLOURS["beside"])
    here.is_answered("beside")
    until(lambda: not here.area(COLOURS["beside"]), "the answered question is still shown")
    assert here.area(COLOURS["farther"])
    assert here.in_front("far")


def test_a_click_on_focus_terminal_of_swaync_leads_to_the_terminal(here: Clicked, tmp_path: Path) -> None:
    (tmp_path / "swaync.json").write_text(SWAYNC)
    (tmp_path / "swaync.css").write_text(f".notification-action {{ background: {_css(BUTTON)}; color: white; }}")
    here.start("swaync", "-c", str(tmp_path / "swaync.json"), "-s", str(tmp_path / "swaync.css"))
    here.asks("farther")
    left, top, right, bottom = here.at_rest(BUTTON, "there are no buttons on the screen")
    here.picture("notification-swaync-before-the-click", PART)
    # "Focus terminal" is the first of two of the same width.
    here.click(left + (right - left) // 4, (top + bottom) // 2)
    until(lambda: here.in_front("farther"), "the click has not led to the terminal")
    until(lambda: not here.area(BUTTON), "what was clicked on is still shown")
