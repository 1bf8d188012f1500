"""How sessions come, go, and come back."""

from __future__ import annotations

import pytest

from aimond.core import event as ev
from aimond.core.change import SessionRemoved
from tests.core.story import (
    HOOK,
    LOG,
    SPAN,
    Story,
    answer,
    detail,
    ends,
    exits,
    failure,
    prompt,
    ran,
    starts,
    stop,
    tool,
    us,
)

HOUR = 3600


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        pytest.param([answer(2), detail(asks=False)], ["completed", "done", "removed:exited"], id="answered"),
        pytest.param([answer(2), detail(asks=True)], ["quiet", "removed:exited"], id="answered, or asked"),
        pytest.param([tool(2)], ["idle", "removed:exited"], id="cut in a tool"),
        pytest.param([], ["idle", "removed:exited"], id="cut in a call"),
        pytest.param([failure(2, "auth")], ["failed", "needs:auth", "removed:exited"], id="while it retried"),
    ],
)
def test_an_exit_ends_the_session_and_resolves_its_turn(facts: list[ev.Event], told: list[str]) -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), *facts)
    assert story.hear(4, exits(4, pid=7)) == told
    assert story.shown == []


def test_an_exit_leaves_other_sessions_alone() -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), prompt(1, session="other", pid=8))
    story.hear(4, exits(4, pid=7))
    assert story.shown == ["other"]


def test_an_exit_of_nobody_ends_nobody() -> None:
    """Pid 0 is "unknown", not a process."""
    story = Story()
    story.hear(3, prompt(1))
    assert story.hear(4, exits(4, pid=0)) == []
    story.hear(5, starts(5, pid=0))
    assert story.wait(2 * HOUR)[-1] == "removed:expired"


def test_what_was_sent_before_the_exit_and_heard_after_it_still_counts() -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), detail(asks=False))
    assert story.hear(4, exits(4, pid=7))[-1] == "removed:exited"
    assert story.hear(5, answer(3, tokens=50, pid=7)) == ["done"]
    assert (story.shown, story.done[0].input_tokens) == ([], 50)


def test_a_session_heard_of_only_after_its_exit_comes_and_goes() -> None:
    story = Story()
    story.hear(4, starts(0, pid=7), exits(4, pid=7))
    words = story.hear(5, prompt(1, pid=7), answer(3, pid=7), detail(asks=False))
    assert words == ["added", "completed", "done", "removed:exited"]


def test_the_cli_may_say_that_it_ends() -> None:
    story = Story()
    story.hear(3, prompt(1), stop(3))
    assert story.hear(5, ends(4)) == ["removed:ended"]


def test_a_farewell_from_before_the_newest_prompt_ends_nothing() -> None:
    story = Story()
    story.hear(9, prompt(1), prompt(8))
    assert story.hear(10, ends(4)) == []
    assert story.shown == ["s"]


@pytest.mark.parametrize("late_first", [True, False])
def test_a_session_that_said_farewell_stays_away_when_the_rest_of_it_arrives(late_first: bool) -> None:
    """Hooks are live and know no pid; the telemetry of a short run comes with its exit, and from a known process."""
    story = Story()
    story.hear(1, detail(1, source=HOOK, shows=True), prompt(1, source=HOOK))
    story.hear(2, stop(2))
    if late_first:
        story.hear(2.5, prompt(1, pid=7))
    assert story.hear(3, ends(3, source=HOOK)) == ["removed:ended"]
    assert story.hear(3.2, prompt(1, pid=7), tool(1.5, pid=7), ran(1.8, pid=7), answer(1.9, pid=7)) == []
    assert (story.shown, len(story.done)) == ([], 1)


def test_a_resumed_session_comes_back_in_another_process() -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), stop(3))
    story.hear(4, exits(4, pid=7))
    assert story.hear(20, prompt(19, pid=8)) == ["added", "working"]
    assert (story.now().pid, story.now().turns) == (8, 2)


def test_a_session_comes_back_when_it_is_prompted_again() -> None:
    story = Story()
    story.hear(3, prompt(1), stop(3))
    story.hear(4, ends(4))
    assert story.hear(20, prompt(19)) == ["added", "working"]


def test_a_dead_process_brings_nothing_back() -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), stop(3))
    story.hear(4, exits(4, pid=7))
    assert story.hear(5, prompt(3.9, pid=7), answer(3.95, pid=7)) == []
    assert story.shown == []


def test_clear_replaces_the_session() -> None:
    story = Story()
    story.hear(3, prompt(1), stop(3))
    assert "removed:replaced" in story.hear(5, ends(4, reason="replaced"), prompt(4.5, session="new"))
    assert story.shown == ["new"]


def test_where_a_process_shows_one_session_the_newer_replaces_the_older() -> None:
    for first, second in (("old", "new"), ("new", "old")):
        story = Story(rules={"one_per_process": True})
        at = {"old": 1, "new": 5}
        story.hear(6, prompt(at[first], session=first, pid=7))
        story.hear(7, prompt(at[second], session=second, pid=7))
        assert story.shown == ["new"]
        removed = [(change.session.id, change.reason) for change in story.told if isinstance(change, SessionRemoved)]
        assert removed == [("old", "replaced")]


def test_elsewhere_sessions_share_a_process() -> None:
    story = Story()
    story.hear(6, prompt(1, session="a", pid=7), prompt(5, session="b", pid=7))
    assert story.shown == ["a", "b"]


def test_a_live_process_is_never_expired() -> None:
    story = Story()
    story.hear(0, starts(0, pid=7))
    story.hear(1, prompt(0, pid=7))
    assert story.wait(48 * HOUR) == []
    assert story.shown == ["s"]


def test_an_unknown_process_expires_after_a_long_silence() -> None:
    story = Story(expire=HOUR)
    story.hear(1, prompt(0))
    assert story.wait(HOUR) == []
    assert story.wait(HOUR + 2)[-1] == "removed:expired"


@pytest.mark.parametrize("word", [ran(5000), tool(5000), answer(5000), stop(5000), detail(5000, shows=True)])
def test_an_expired_session_that_speaks_again_was_alive_after_all(word: ev.Event) -> None:
    story = Story(expire=HOUR)
    story.hear(2, prompt(0), tool(1))
    story.wait(4500)
    assert story.shown == []
    assert story.hear(5001, word)[0] == "added"


def test_a_directory_is_that_of_the_process_until_the_cli_tells() -> None:
    story = Story()
    story.hear(0, starts(0, pid=7, directory="/home/dev/a"))
    story.hear(1, prompt(0, pid=7))
    assert (story.now().directory, story.now().project) == ("/home/dev/a", "a")
    story.hear(2, detail(2, directory="/home/dev/b"))
    assert (story.now().directory, story.now().project) == ("/home/dev/b", "b")


def test_the_newest_word_on_a_detail_counts_whatever_came_last() -> None:
    story = Story()
    story.hear(9, prompt(0), detail(5, model="new", asks=False), detail(1, model="old", version="1", asks=True))
    story.hear(10, answer(4, model="m"), answer(7, model="newer"), answer(8, model="helper", main=False))
    shown = story.now()
    assert (shown.model, shown.agent_version, shown.model_calls) == ("newer", "1", 3)


def test_notify_may_come_before_the_logs_of_its_turn() -> None:
    """Codex's notify is live and tells of hidden threads too: it shows nothing that nothing else has told of."""
    story = Story()
    assert story.hear(3, detail(3, source=HOOK, directory="/home/dev/a"), stop(3)) == []
    assert story.hear(4, detail(0, shows=True), prompt(1), answer(2.9)) == ["added", "completed", "done"]
    assert (story.now().directory, len(story.done)) == ("/home/dev/a", 1)


def test_a_start_up_record_alone_shows_no_session() -> None:
    story = Story()
    assert story.hear(1, detail(0, title="CLI", version="1")) == []
    assert story.wait(2 * HOUR) == []
    assert story.shown == []


def test_telling_an_event_again_changes_nothing() -> None:
    events = [prompt(0), tool(1), ran(2), failure(2.2), answer(3, tokens=50), detail(asks=False)]
    once, twice = Story(), Story()
    once.hear(4, *events)
    twice.hear(4, *events, *events)
    twice.hear(4, *reversed(events))
    assert once.now() == twice.now()
    assert (twice.now().model_calls, twice.now().tool_calls, twice.now().errors) == (1, 1, 1)
    assert twice.wait(60) == once.wait(60) == ["completed", "done"]


def test_two_agents_may_use_the_same_id() -> None:
    story = Story()
    story.hear(1, prompt(0), prompt(0, agent="another"))
    assert story.shown == ["s", "s"]
    found = story.tracker.find("another:s")
    assert found is not None
    assert (found.agent, found.started_at) == ("another", us(0))


def test_a_tool_told_by_hook_log_and_span_is_one_call() -> None:
    story = Story()
    story.hear(4, prompt(0), tool(1), ran(2), ran(2, source=HOOK), ran(2.01, source=SPAN))
    assert story.now().tool_calls == 1
    story.hear(5, ran(4, call="", source=LOG, key="a"), ran(4.5, call="", source=LOG, key="b"))
    assert story.now().tool_calls == 3


# -- farewells that come before the last words ---------------------------------------------------------


def leaving(at: float = 5) -> Story:
    story = Story()
    story.hear(0, starts(0, pid=7))
    story.hear(3, prompt(1, source=HOOK, pid=7))
    assert story.hear(at, ends(at, source=HOOK, pid=7)) == []
    return story


def test_a_session_that_says_farewell_goes_with_its_process() -> None:
    """What is left to send comes 40 to 350 ms after the hook."""
    story = leaving(at=5)
    story.hear(5.2, answer(4, tokens=50))
    assert story.now().input_tokens == 50
    assert story.hear(5.3, exits(5.3, pid=7))[-1] == "removed:ended"


def test_a_process_that_stays_after_the_farewell_keeps_no_session() -> None:
    assert leaving(at=5).wait(8)[-1] == "removed:ended"


def test_a_prompt_after_the_farewell_takes_it_back() -> None:
    story = leaving(at=5)
    story.hear(6, prompt(5.5))
    assert story.wait(60) == []
    assert story.hear(61, exits(61, pid=7))[-1] == "removed:exited"


def test_a_session_that_is_resumed_does_not_show_its_last_turn_as_news() -> None:
    story = Story()
    story.hear(3, prompt(1, pid=7), detail(asks=False), answer(2))
    assert "done" in story.hear(4, exits(4, pid=7))
    assert story.hear(9, detail(8, shows=True, pid=8, source=HOOK)) == ["added"]
    assert story.state() == "idle"


def test_a_prompt_that_brings_a_session_back_begins_a_turn_of_news() -> None:
    """Its process is unknown, or the same: the prompt itself is what revives it."""
    story = Story()
    story.hear(3, prompt(1), stop(2))
    story.hear(4, ends(3.5))
    assert story.hear(9, prompt(8)) == ["added", "working"]
    assert story.hear(10, stop(9.5)) == ["completed", "done"]
    assert story.state() == "completed"


def test_an_older_session_that_is_resumed_in_the_same_process_replaces_the_newer_one() -> None:
    """/clear, and then /resume of what was there before."""
    story = Story(rules={"one_per_process": True})
    story.hear(1, starts(0, pid=7), prompt(1, pid=7), stop(1.5, pid=7))
    story.hear(11, prompt(11, session="new", pid=7))
    assert story.shown == ["new"]
    assert "new removed:replaced" in story.hear(21, prompt(21, pid=7))
    assert (story.shown, story.state()) == (["s"], "working")
