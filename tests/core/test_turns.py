"""How turns begin, go on and end, whatever order the news of them come in."""

from __future__ import annotations

from itertools import permutations

import pytest

from aimond.core import event as ev
from aimond.core.turn import SECOND
from aimond.core.usage import Usage
from tests.core.story import (
    COMPLETED,
    FAILED,
    HOOK,
    INTERRUPTED,
    SPAN,
    Story,
    answer,
    calls,
    cut,
    detail,
    failure,
    goes_on,
    over,
    prompt,
    ran,
    stop,
    tool,
    us,
)


def test_a_prompt_begins_a_turn() -> None:
    story = Story()
    assert story.hear(1, prompt(0)) == ["added", "working"]
    assert (story.now().turns, story.now().turn_started) == (1, us(0))


def test_a_session_without_a_prompt_is_idle() -> None:
    story = Story()
    assert story.hear(1, detail(shows=True)) == ["added"]
    assert story.state() == "idle"


def test_a_hook_ends_the_turn_at_once() -> None:
    story = Story()
    story.hear(0, prompt(0, source=HOOK))
    assert story.hear(3, stop(3)) == ["completed", "done"]
    assert (story.now().evidence, story.now().confidence) == ("hook", "exact")


def test_a_span_ends_the_turn_where_its_answer_shows_that_it_was_done() -> None:
    story = Story()
    story.hear(1, prompt(0, trace="t"))
    assert story.hear(5, answer(2), over(2.1, began=0)) == ["completed", "done"]
    assert story.now().evidence == "span"


def test_a_prompt_told_by_hook_and_by_log_is_one_turn() -> None:
    story = Story()
    story.hear(1.1, prompt(1.1, source=HOOK))
    story.hear(6, prompt(1))
    assert (story.now().turns, story.now().turn_started) == (1, us(1))


def test_prompts_with_the_same_turn_id_are_one_turn_however_far_apart() -> None:
    story = Story()
    story.hear(9, prompt(9, source=HOOK, turn="p"))
    story.hear(10, prompt(1, turn="p"))
    assert (story.now().turns, story.now().turn_started) == (1, us(1))


def test_two_quick_prompts_are_two_turns() -> None:
    story = Story()
    story.hear(2, prompt(0), prompt(1))
    assert story.now().turns == 2


def test_a_turn_is_announced_once() -> None:
    story = Story()
    story.hear(0, prompt(0, source=HOOK))
    assert story.hear(3, stop(3)) == ["completed", "done"]
    assert story.hear(8, prompt(0), answer(2.9)) == []
    assert story.hear(8.1, over(3, began=0), cut(2)) == []
    assert story.hear(8.2, stop(3)) == []
    story.wait(1000)
    assert len(story.done) == 1


def test_the_announcement_sums_up_its_turn() -> None:
    story = Story()
    story.hear(0, prompt(0), answer(1, tokens=100), stop(1))
    story.hear(10, prompt(10), answer(11, tokens=20), answer(12, tokens=3))
    story.hear(13, stop(13, source=SPAN))
    told = story.done[-1]
    assert (told.turn, told.input_tokens, told.output_tokens, told.duration) == (2, 23, 2, 3 * SECOND)


def test_a_hook_is_ahead_of_the_tokens_and_says_none() -> None:
    """Rather than some: the records of the last calls are still on their way, and nobody knows of how many."""
    story = Story()
    story.hear(0, prompt(0), answer(1, tokens=100), stop(1))
    assert (story.done[0].input_tokens, story.done[0].output_tokens, story.done[0].cost_basis) == (
        None,
        None,
        "unknown",
    )


def test_the_announcement_knows_what_only_a_span_has_told_yet() -> None:
    """Spans overtake the logs that count; each call is summed up once, whoever told of it."""
    told = Usage(input=30, output=2)
    story = Story()
    story.hear(1, prompt(0), answer(0.9, tokens=100))
    story.hear(3, answer(0.9, source=SPAN, usage=None, told=told), answer(2, source=SPAN, usage=None, told=told))
    story.hear(3, over(2.1, began=0))
    assert (story.done[0].input_tokens, story.done[0].output_tokens) == (130, 3)
    assert story.now().input_tokens == 100


def test_the_announcement_knows_what_the_turns_own_span_has_told() -> None:
    story = Story()
    story.hear(1, prompt(0), answer(0.9, tokens=100))
    story.hear(3, over(2.1, began=0, outcome=COMPLETED, told=Usage(input=130, output=3)))
    assert (story.done[0].input_tokens, story.done[0].output_tokens) == (130, 3)


def test_late_data_adds_to_its_own_turn_and_reopens_nothing() -> None:
    story = Story()
    story.hear(0, prompt(0, source=HOOK))
    story.hear(3, stop(3))
    assert story.hear(8, prompt(0), tool(1), ran(2), answer(2.9, tokens=70)) == []
    assert (story.state(), story.now().input_tokens, story.now().tool_calls) == ("completed", 70, 1)


def test_only_a_newer_prompt_opens_a_new_turn() -> None:
    story = Story()
    story.hear(3, prompt(0), stop(3))
    assert story.hear(5, prompt(4)) == ["working"]
    assert story.hear(9, answer(2.5), tool(1), ran(2)) == []
    assert story.state() == "working"
    assert story.hear(10, stop(10)) == ["completed", "done"]


def test_facts_that_came_before_their_prompt_belong_to_its_turn() -> None:
    story = Story()
    story.hear(1, prompt(0), stop(1))
    story.hear(6, answer(5.5, tokens=30))
    story.hear(8, prompt(5))
    assert story.state() == "working"
    story.hear(9, stop(9, source=SPAN))
    assert story.done[-1].input_tokens == 30


def test_the_span_of_a_slash_command_does_not_end_the_turn_that_follows() -> None:
    story = Story()
    story.hear(11, prompt(10, trace="t"), answer(10.9, started=us(10.1)))
    assert story.hear(11.1, over(10.5, began=2)) == []
    assert story.state() == "working"


def test_a_claim_falls_when_more_work_follows_from_it() -> None:
    story = Story()
    story.hear(3, prompt(0, trace="t"), detail(asks=False), answer(2), over(2.1, began=0, claim="step"))
    assert story.hear(3.1, goes_on(2.2, claim="step")) == ["working"]


def test_a_weak_claim_falls_when_a_tool_begins_after_it() -> None:
    story = Story()
    story.hear(2, prompt(0), stop(2))
    assert story.state() == "completed"
    story.hear(4, tool(3.5))
    assert story.state() == "working tool:Bash"


@pytest.mark.parametrize(
    ("higher", "lower", "state"),
    [
        (stop(3), cut(2.9), "completed"),
        (stop(3, outcome=FAILED, error_class="auth"), cut(2.9), "failed auth"),
        (stop(3, outcome=None), over(2.9, 0, outcome=INTERRUPTED), "idle interrupted"),
        (stop(3, outcome=None), cut(2.9), "idle interrupted"),
        (over(3, 0, outcome=INTERRUPTED), cut(2.9, outcome=COMPLETED), "idle interrupted"),
    ],
)
def test_a_lower_source_adds_what_the_higher_cannot_know_and_overturns_nothing(
    higher: ev.Event, lower: ev.Event, state: str
) -> None:
    for events in permutations((prompt(0), higher, lower)):
        story = Story()
        story.hear(4, *events)
        story.wait(100)
        assert story.state() == state


def test_when_it_ended_is_said_by_the_highest_source_whoever_came_first() -> None:
    for events in permutations((prompt(0), stop(3), over(2.8, 0), answer(2.7))):
        story = Story()
        story.hear(4, *events)
        assert (story.now().evidence, story.now().state_since) == ("hook", us(3))


def test_an_interrupted_turn_is_idle_and_not_announced() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.hear(3, tool(1), ran(2), cut(2)) == ["idle"]
    assert (story.state(), story.done) == ("idle interrupted", [])


def test_a_failed_turn_says_why_and_is_not_announced() -> None:
    story = Story()
    story.hear(1, prompt(0))
    words = story.hear(3, failure(2.9, "auth"), stop(3, outcome=FAILED, error_class="auth"))
    assert words == ["failed", "needs:auth", "error:auth"]
    assert story.done == []


def test_the_proof_of_an_older_turn_may_come_late() -> None:
    story = Story()
    story.hear(2, prompt(0, trace="t"), detail(asks=True))
    story.hear(4, prompt(3, trace="u"))
    assert story.hear(5, answer(1), over(1.1, began=0)) == ["done"]
    assert (story.done[0].turn, story.state()) == (1, "working")


@pytest.mark.parametrize(("silently", "told"), [(True, []), (False, ["done"])])
def test_an_older_turn_whose_user_may_have_refused_silently_is_not_announced(silently: bool, told: list[str]) -> None:
    story = Story(rules={"denies_silently": silently})
    story.hear(2, prompt(0), answer(1), detail(asks=True))
    assert story.hear(4, prompt(3)) == told


# -- tools and calls that are still open ------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([tool(2, "d")], id="a tool that began during the last call"),
        pytest.param([ran(2.6, 0.5, "d")], id="a tool that ran during the last call"),
        pytest.param([ran(1.78, 0.03, "d")], id="a quick tool at the beginning of the last call"),
        pytest.param([ran(3, 0.1, "d")], id="a tool that ran after the last answer"),
        pytest.param([tool(1.2, "")], id="a tool without an id that is still open"),
        pytest.param([calls(3)], id="another call"),
        pytest.param([failure(3, aborted=True)], id="a call that was cut"),
        pytest.param([ran(1.9, 0.4, "d"), tool(1.2, "e")], id="a tool that is still open"),
        pytest.param([answer(2.45, ends=False)], id="an answer that asked for a tool"),
    ],
)
def test_more_is_to_come(more: list[ev.Event]) -> None:
    """None of these is the end: silence may not be read as one."""
    for events in ([*more, answer(2.5, 0.8)], [answer(2.5, 0.8), *more]):
        story = Story()
        story.hear(5, detail(asks=False), prompt(1), *events)
        story.wait(70)
        assert story.now().state.value == "working"


def test_a_tool_that_ran_before_the_last_call_lets_the_turn_end() -> None:
    story = Story()
    story.hear(5, detail(asks=False), prompt(0), tool(1.5), ran(1.6, 0.1), answer(3, 1))
    story.wait(70)
    assert story.state() == "completed"
