"""Turns that go on by themselves: synthetic prompts, and sub-agents that work in the background."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.core.story import (
    HOOK,
    Story,
    answer,
    over,
    prompt,
    stop,
    sub_agent,
    sub_agent_done,
    us,
    woke,
)


def test_a_synthetic_prompt_goes_on_with_the_turn() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), stop(2))
    assert story.hear(3, woke(3, source=HOOK)) == ["working"]
    assert story.hear(4, stop(4)) == ["completed", "done"]
    assert story.now().turns == 1


def test_a_synthetic_prompt_told_by_hook_and_by_log_is_one_piece_of_news() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), stop(2))
    story.hear(3, woke(3, source=HOOK))
    story.hear(4, stop(4))
    assert story.hear(8, prompt(0), answer(1.9), woke(3), answer(3.9)) == []
    assert len(story.done) == 2


@pytest.mark.parametrize("soon", [0.5, 1.5, 3])
def test_what_a_turn_that_woke_goes_on_to_do_is_news_however_soon_it_woke(soon: float) -> None:
    story = Story()
    story.hear(1, prompt(0.5, source=HOOK), stop(1))
    for at in (1 + soon, 1.1 + 2 * soon):
        assert story.hear(at, woke(at, source=HOOK)) == ["working"]
        assert story.hear(at + 0.1, stop(at + 0.1)) == ["completed", "done"]


def test_a_sub_agent_holds_the_completion() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), sub_agent(1, source=HOOK), stop(2))
    assert story.state() == "working background"
    assert story.hear(9, sub_agent_done(9, source=HOOK)) == ["completed", "done"]


def test_a_sub_agent_that_wakes_its_turn_holds_it_until_that_is_done() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), sub_agent(1, source=HOOK), stop(2))
    assert story.hear(9, sub_agent_done(9, source=HOOK, wakes=True)) == []
    assert story.hear(9.1, woke(9.1, source=HOOK)) == []
    assert story.hear(12, stop(12)) == ["completed", "done"]
    assert story.now().turns == 1


def test_a_sub_agent_whose_result_nobody_uses_does_not_hold_for_ever() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), sub_agent(1, source=HOOK), stop(2))
    story.hear(9, sub_agent_done(9, source=HOOK, wakes=True))
    assert story.wait(16.9) == []
    assert story.wait(17.1) == ["completed", "done"]


def test_a_sub_agent_that_never_reports_back_holds_for_a_long_while() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), sub_agent(1, source=HOOK), stop(2))
    assert story.wait(901) == []
    assert story.wait(903) == ["completed", "done"]


def test_a_redacted_prompt_right_after_a_sub_agent_is_the_agent_waking_itself() -> None:
    wakes = [prompt(0), answer(1), over(1.1, 0), sub_agent(1), sub_agent_done(5, wakes=True), prompt(5.05), answer(6)]
    for cut_at in range(1, len(wakes)):
        for first, second in ((wakes[:cut_at], wakes[cut_at:]), (wakes[cut_at:], wakes[:cut_at])):
            story = Story()
            story.hear(7, *first)
            story.hear(8, *second)
            assert story.now().turns == 1, (cut_at, first is wakes[:cut_at])


def test_a_prompt_long_after_a_sub_agent_was_typed() -> None:
    story = Story()
    story.hear(7, prompt(0), answer(1), over(1.1, 0), sub_agent(1), sub_agent_done(5, wakes=True))
    story.hear(20, prompt(19))
    assert story.now().turns == 2


def test_who_woke_whom_does_not_depend_on_the_order_of_the_news() -> None:
    """The agent wakes after a sub-agent; what was typed later, and what followed from that, is its own."""
    stories = [
        ([prompt(0), sub_agent_done(1, wakes=True), prompt(2), woke(3.5)], 1),
        ([prompt(0), sub_agent_done(1, wakes=True), prompt(5), answer(38), prompt(38.5)], 3),
        ([prompt(0), sub_agent_done(1, "a", wakes=True), prompt(1.5), sub_agent_done(2.5, "b", wakes=True)], 1),
    ]
    for events, turns in stories:
        for order in permutations(events):
            story = Story()
            for number, event in enumerate(order):
                story.hear(40 + number / 10, event)
            assert story.now().turns == turns, [(type(event).__name__, event.at - us(0)) for event in order]
