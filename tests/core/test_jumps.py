"""The machine slept, or its clock was set: nobody was silent meanwhile, or speaks from the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aimond.commands.replay import AFTERWARDS
from aimond.core.event import Event, TurnPriced
from aimond.core.price import UNPRICED
from aimond.core.snapshot import State
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.spine import Spine
from tests.core.story import Story, answer, asks, detail, over, prompt, ran, stop, tool, us
from tests.recorded import PATHS, heard, name

DAY = 86_400
Jump = Callable[[Story, float, float], list[str]]


def wakes(story: Story, at: float, after: float) -> list[str]:
    """The machine wakes up, having slept for so long."""
    return story.tell(story.tracker.jumped(round(after * SECOND), 0, us(at + after)))


def is_set(story: Story, at: float, by: float) -> list[str]:
    """The clock is set."""
    return story.tell(story.tracker.jumped(0, round(by * SECOND), us(at + by)))


each_jump = pytest.mark.parametrize(
    ("jump", "by"), [(wakes, DAY), (wakes, 30), (is_set, DAY), (is_set, -DAY), (is_set, 3), (is_set, -3)]
)


@each_jump
def test_silence_lasts_as_long_as_the_machine_was_awake(jump: Jump, by: float) -> None:
    story = Story()
    story.hear(2, detail(asks=True), prompt(0), answer(1.9))
    assert jump(story, 4, by) == []
    assert story.state() == "working"
    assert story.wait(by + 8.9) == []
    assert story.wait(by + 9.1) == ["quiet", "needs:"]


@each_jump
def test_nobody_expires_by_a_jump_nor_later_than_without(jump: Jump, by: float) -> None:
    story = Story(expire=600)
    story.hear(2, prompt(0), tool(1))
    jump(story, 300, by)
    story.wait(by + 601)
    assert story.shown == ["s"]
    assert story.wait(by + 603) == ["working", "removed:expired"] or story.shown == []


@each_jump
def test_work_goes_on_and_ends_as_ever(jump: Jump, by: float) -> None:
    story = Story()
    story.hear(2, detail(asks=True), prompt(0), tool(1))
    jump(story, 4, by)
    assert story.state() == "working tool:Bash"
    story.hear(by + 5, ran(by + 5, took=1))
    assert story.state() == "working"
    story.hear(by + 6, answer(by + 6), stop(by + 6.1))
    assert story.state() == "completed"
    assert story.hear(by + 9, prompt(by + 9)) == ["working"]
    assert story.now().turns == 2


@each_jump
def test_a_question_stays_open_until_it_is_answered(jump: Jump, by: float) -> None:
    story = Story()
    story.hear(2, prompt(0), asks(2))
    jump(story, 4, by)
    assert story.state() == "waiting permission:Bash"
    assert story.hear(by + 6, tool(by + 6)) == ["working"]


@each_jump
def test_what_was_seen_stays_seen_and_what_was_told_is_not_told_again(jump: Jump, by: float) -> None:
    story = Story()
    story.hear(2, prompt(0), answer(1.9), over(2, 0))
    story.acknowledge(3)
    assert jump(story, 4, by) == []
    assert story.now().state is State.IDLE
    story.hear(by + 5, prompt(by + 5), asks(by + 6))
    assert jump(story, by + 7, by) == []
    assert story.wait(2 * by + 60) == []
    assert story.state() == "waiting permission:Bash"


def test_records_from_before_the_clock_was_set_forward_belong_to_their_turn() -> None:
    story = Story()
    story.hear(2, detail(asks=True), prompt(0))
    is_set(story, 3, DAY)
    story.hear(DAY + 4, answer(2.5), over(2.6, 0))
    assert story.state() == "completed"


# -- tapes ------------------------------------------------------------------------------------------


def played(events: list[tuple[int, Event]], at: int, slept: int, set_: int) -> Tracker:
    """A tape's events, with a jump before the request of that number; afterwards all clocks show the new time."""
    spine = Spine()
    tracker = Tracker(spine.tracker.patience, 3600 * SECOND, 256, pricing=UNPRICED)
    later = jumped = before = 0
    for number, (seen, group) in enumerate(groupby(events, key=lambda each: each[0])):
        until(tracker, seen + later)
        if number == at:
            later, jumped = slept + set_, 0 if set_ < 0 else before
            tracker.jumped(slept, set_, seen + later)
        tracker.apply([moved(event, jumped, later) for _, event in group], seen + later)
        before = seen
    until(tracker, events[-1][0] + later + round(AFTERWARDS * SECOND))
    return tracker


def until(tracker: Tracker, now: int) -> None:
    while (deadline := tracker.deadline()) is not None and deadline <= now:
        tracker.tick(deadline)


def moved(event: Event, since: int, by: int) -> Event:
    """As a CLI tells of it whose clock has shown another time since then. (What was dated before a clock was set back
    is taken for what it was: see the spine.)"""
    times = ("at", "started", "began") if isinstance(event, TurnPriced) else ("at", "started")
    more: dict[str, Any] = {time: value + by for time in times if (value := getattr(event, time, 0)) > since}
    return replace(event, **more)


def outcome(tracker: Tracker) -> dict[str, Any]:
    return {
        session.id: (session.verdict.state, session.turn_count, session.tool_calls, dict(session.models))
        for session in tracker.sessions.remembered
        if session.shown
    }


def jumps() -> Iterator[tuple[int, int]]:
    for by in (DAY, -DAY):
        yield 0, by * SECOND
    yield DAY * SECOND, 0


@pytest.mark.parametrize("path", PATHS[::7], ids=name)
def test_a_tape_comes_to_the_same_whenever_time_jumps(path: Path) -> None:
    events = heard(path)
    requests = len({seen for seen, _ in events})
    expected = outcome(played(events, -1, 0, 0))
    for at in range(1, requests, max(1, requests // 4)):
        for slept, set_ in jumps():
            assert outcome(played(events, at, slept, set_)) == expected, (at, slept, set_)
