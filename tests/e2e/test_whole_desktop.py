"""The whole desktop, with the real CLIs in its terminals: what the bar and the notifications say while they work, ask
and end, and where a mouse and a keyboard lead. Each act begins with everything seen, and the user in another window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.headless import until
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.whole import BUTTON, QUESTION, Whole, whole

BAR = "520,0 240x28"


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    for cli in CLIS.values():
        assert install(cli, default_cache()), f"npm could not install {cli.package}"
    with whole(tmp_path_factory.mktemp("whole")) as here:
        here.start_bar()
        here.furnish()
        yield here


@pytest.fixture
def here(desktop: Whole) -> Iterator[Whole]:
    """Everything is seen."""
    desktop.settle()
    yield desktop
    desktop.end_notifications()
    desktop.end_top()
    desktop.set_notifications()


def test_a_click_on_the_notification_leads_to_the_question_and_one_on_the_bar_to_the_answer(here: Whole) -> None:
    here.start_notifications("mako")
    here.go_to("web")
    here.say("web", "bash:sleep 2;outside:touch made;bash:sleep 2;text:Done")
    here.go_to("game")
    here.shows("working")
    here.picture("whole-bar-working", BAR)
    here.shows("waiting")
    here.picture("whole-bar-waiting", BAR)
    (asks,) = here.shows_notes("web")
    assert asks["summary"] == "Claude Code in web is waiting for you"
    here.at_rest(QUESTION, "the question is not on the screen")
    here.picture("whole-desktop", "0,0 1280x440")
    here.click(*here.middle_of(QUESTION))
    until(lambda: here.in_front("web"), "the click has not led to the terminal")
    here.shows_notes()
    here.picture("whole-desktop-after-the-click")
    here.until("web", State="waiting")

    here.approve("web")
    here.go_to("game")
    (done,) = here.shows_notes("web")
    assert done["summary"] == "Claude Code in web is done"
    here.shows("completed")
    here.picture("whole-bar-completed", BAR)
    here.press("left", "completed")
    until(lambda: here.in_front("web"), "the click on the bar has not led to the terminal")
    here.shows_notes()
    here.shows("idle")


def test_what_is_answered_in_a_pane_is_withdrawn_and_what_follows_takes_its_place(here: Whole, tmp_path: Path) -> None:
    here.start_notifications("mako")
    gates = {name: tmp_path / name for name in ("api", "docs")}
    here.say("docs", f"slow:{gates['docs']}")
    here.say("api", f"outside:touch made;slow:{gates['api']}")
    (asks,) = here.shows_notes("api")
    assert asks["summary"] == "Claude Code in api is waiting for you"
    here.picture_of_notes("whole-mako-waiting")
    here.approve("api")
    here.shows_notes()
    here.until("api", State="working")

    gates["api"].touch()
    (one,) = here.shows_notes("api")
    gates["docs"].touch()
    (both,) = here.shows_notes("2 agents finished")
    assert both["id"] == one["id"]
    here.picture_of_notes("whole-mako-burst")
    assert here.in_front("game")


def test_a_click_on_the_button_of_swaync_leads_to_the_pane_where_a_key_answers(here: Whole) -> None:
    here.start_notifications("mako")
    here.say("docs", "outside:touch made;text:Done")
    here.shows_notes("docs")
    here.end_notifications()
    here.tmux("select-pane", "-t", here.panes["site"])
    here.start_notifications("swaync")
    left, top, right, bottom = here.at_rest(BUTTON, "there are no buttons")
    here.picture_of_notes("whole-swaync-waiting")
    here.click(left + (right - left) // 4, (top + bottom) // 2)  # the first of two of the same width
    until(lambda: here.in_front("docs"), "the click has not led to the terminal")
    assert here.pane == "docs"
    until(lambda: not here.area(BUTTON), "what was clicked on is still shown")
    here.approve("docs")
    here.until("docs", State="completed")


def test_what_is_answered_at_its_window_is_withdrawn_by_swaync(here: Whole) -> None:
    here.start_notifications("swaync")
    here.say("api", "outside:touch again;bash:sleep 1;text:Done")
    until(lambda: here.area(BUTTON), "there is no question")
    here.approve("api")
    until(lambda: not here.area(BUTTON), "the answered question is still shown")


def test_a_click_on_the_bar_leads_to_the_window_of_the_terminal_server_that_waits(here: Whole) -> None:
    here.go_to("shop")
    here.say("shop", "outside:touch made;text:Done")
    here.go_to("web")
    here.until("shop", State="waiting")
    here.press("left", "waiting")
    until(lambda: here.in_front("shop"), "the click on the bar has not led to the terminal")
    here.approve("shop")
    here.until("shop", State="completed")
    here.until("shop", State="idle")  # looked at


def test_keys_in_top_focus_a_session_and_hold_notifications_back(here: Whole) -> None:
    here.start_notifications("mako")
    here.start_top()
    here.keys("i")
    here.says(Inhibited=True)
    here.say("api", "outside:touch more;text:Done")
    here.shows("waiting")
    here.picture_of_top("whole-top")
    assert here.shown() == []
    here.keys("i")
    here.shows_notes("api")
    here.keys("k" * 9, "-k", "Return")  # the first one is who waits
    until(lambda: here.in_front("api"), "the key has not led to the terminal")
    assert here.pane == "api"
    here.approve("api")


def test_nothing_is_shown_of_the_window_in_front(here: Whole) -> None:
    here.start_notifications("mako")
    here.go_to("web")
    here.say("web", "outside:touch before;text:Done")
    here.until("web", State="waiting")
    here.say("api", "outside:touch behind;text:Done")
    here.shows_notes("api")
    for name in ("web", "api"):
        here.approve(name)
    here.until("web", State="idle")  # looked at
    here.shows_notes("api")


def test_nothing_is_shown_of_a_short_turn_nor_in_quiet_hours_but_what_waits_afterwards(here: Whole) -> None:
    here.start_notifications("mako")
    here.set_notifications("min_duration = 3600\n")
    here.say("docs", "slow:1")
    here.until("docs", State="completed")
    here.say("api", "outside:touch asked;text:Done")
    here.shows_notes("api")
    here.approve("api")
    here.until("api", State="completed")
    here.shows_notes()

    now = datetime.now().astimezone()
    start, end = (now + timedelta(hours=each) for each in (-2, 2))
    here.set_notifications(f'min_duration = 0\nquiet_hours = "{start:%H:%M}-{end:%H:%M}"\n')
    here.say("docs", "slow:1")
    here.until("docs", State="completed")
    here.say("api", "outside:touch by-night;text:Done")
    here.shows("waiting")
    assert here.shown() == []
    here.set_notifications("min_duration = 0\n")
    here.shows_notes("api")
    here.approve("api")


def test_all_is_well_again_after_sway_the_bar_and_mako_have_died(here: Whole) -> None:
    """What is in tmux goes on meanwhile; what waits then is shown, what was answered is not."""
    here.start_notifications("mako")
    here.say("api", "outside:touch last;bash:sleep 1;text:Done")
    here.say("site", "outside:touch last;text:Done")
    here.shows_notes("api", "site")
    here.die()
    here.approve("api")
    here.until("api", State="completed")
    here.come_back()
    here.start_notifications("mako")
    here.shows_notes("site")
    here.shows("waiting")
    here.click(*here.middle_of(QUESTION))
    until(lambda: here.in_front("site"), "the click has not led to the terminal")
    assert here.pane == "site"
    here.approve("site")
    here.press("left", "completed")
    here.shows_notes()
