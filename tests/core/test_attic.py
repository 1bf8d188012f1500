"""Sessions that are gone are put away: what still comes of one finds it as it was."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aimond.commands.replay import _shown as shown_of
from aimond.commands.replay import _take as take
from aimond.core import sessions
from aimond.core.attic import Attic
from aimond.spine import Spine
from aimond.tape import read
from tests.core.story import AGENT, Story, answer, detail, ends, prompt, tool, us
from tests.recorded import PATHS, name

OTHERS = sessions.AT_HAND + 1


def others_go(story: Story, seen: float) -> None:
    """So many others come and go that those who went before are put away."""
    for number in range(OTHERS):
        session = f"other {number}"
        story.hear(seen + number / 1000, prompt(seen, session=session), ends(seen, session=session))


def gone(*events: Any) -> Story:
    """A session did that, has ended and is put away."""
    story = Story()
    story.hear(3, *events, ends(2))
    others_go(story, 20)
    assert (AGENT, "s") in story.tracker.sessions
    assert not story.tracker.sessions.get((AGENT, "s"))
    return story


def spent(story: Story, session: str = "s") -> tuple[int, int]:
    """Calls and input tokens of it."""
    used = story.tracker.usage(story.tracker.sessions[AGENT, session]).values()
    return sum(one.requests for one in used), sum(one.usage.input for one in used)


CALL = answer(1, key="one", tokens=7)


def test_what_is_sent_again_of_one_that_is_put_away_is_counted_once() -> None:
    story = gone(prompt(0), CALL)
    story.hear(30, prompt(0), CALL)
    assert spent(story) == (1, 7)
    assert story.tracker.ledger.since(0).requests == 1


def test_what_comes_late_of_one_that_is_put_away_still_counts() -> None:
    story = gone(prompt(0), CALL)
    story.hear(30, answer(1.5, key="two", tokens=5))
    assert spent(story) == (2, 12)
    assert "s" not in story.shown


def test_one_that_is_put_away_comes_back_under_its_id() -> None:
    story = gone(detail(title="a title"), prompt(0), CALL)
    story.hear(40, prompt(40))
    assert "s" in story.shown and story.state() == "working"
    session = story.tracker.find("s")
    assert session and session.seen and session.turn_count == 2
    assert spent(story) == (1, 7)


def test_a_hidden_thread_goes_with_the_session_that_it_served_and_still_counts_under_it() -> None:
    story = gone(
        prompt(0), CALL, detail(0, session="h", hidden=True), prompt(0, session="h"), answer(1, session="h", tokens=3)
    )
    assert not story.tracker.sessions.get((AGENT, "h"))
    assert spent(story) == (2, 10)
    story.hear(40, answer(1.2, session="h", key="late", tokens=4))
    assert spent(story) == (3, 14)


def test_only_the_newest_are_kept_and_the_others_are_counted() -> None:
    story = gone(prompt(0), CALL)
    for _ in range(sessions.GONE_KEPT // OTHERS + 1):
        number = story.tracker.sessions.dropped
        for each in range(OTHERS):
            one = f"{number}-{each}-{random.random()}"
            story.hear(100, prompt(99, session=one), ends(99, session=one))
    assert (AGENT, "s") not in story.tracker.sessions
    assert story.tracker.sessions.dropped > 0


@pytest.mark.parametrize("set_", [0, -3600])
def test_time_jumps_for_those_that_are_put_away_too(set_: int) -> None:
    events = prompt(0), tool(1), CALL, ends(2)
    stays, goes = Story(), Story()
    for story in (stays, goes):
        story.hear(3, *events)
    others_go(goes, 20)
    for story in (stays, goes):
        story.tracker.jumped(60_000_000, set_ * 1_000_000, us(100))
    here, back = (story.tracker.sessions[AGENT, "s"] for story in (stays, goes))
    assert here.ended_at == us(2 + set_)
    for what in ("ended_at", "started_at", "last_at", "last_seen", "details"):
        assert getattr(back, what) == getattr(here, what), what
    assert [event.at for event in back.newest.events] == [event.at for event in here.newest.events]


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_a_recorded_session_that_is_put_away_at_any_moment_is_the_same(path: Any) -> None:
    """Folded up and taken down again between any two requests, each one goes on as it was."""
    tape = read(path)
    chance, attic = random.Random(str(path)), Attic()
    whole, folded = Spine(), Spine()
    for line in tape.lines:
        for spine in (whole, folded):
            take(spine, tape, line, True)
        tracker = folded.tracker
        for key, session in list(tracker.sessions.items()):
            if session not in tracker.accounts._held and chance.random() < 0.2:
                attic.put(session)
                tracker.sessions[key] = attic.take(key)
    assert not len(attic)
    assert folded.tracker.shown() == whole.tracker.shown()
    for key, session in whole.tracker.sessions.items():
        again = folded.tracker.sessions[key]
        assert (again.verdict, again.models, again.turn_count) == (session.verdict, session.models, session.turn_count)


def test_a_replay_tells_of_all_its_sessions_however_many_have_ended() -> None:
    spine = Spine()
    for number in range(3 * OTHERS):
        session = f"s{number:03}"
        events = prompt(number, session=session), answer(number, session=session), ends(number, session=session)
        spine.tracker.apply(events, us(number + 1))
    assert [session.id for session in shown_of(spine)] == [f"s{number:03}" for number in range(3 * OTHERS)]
