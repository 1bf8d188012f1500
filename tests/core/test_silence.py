"""What silence says, and where it says nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from aimond.core import event as ev
from aimond.core.snapshot import State
from tests.core.story import (
    SPAN,
    Story,
    answer,
    calls,
    detail,
    over,
    prompt,
    stop,
    sub_agent,
    tool,
    us,
)

ASKS, NEVER_ASKS, UNTOLD = detail(asks=True), detail(asks=False), detail()


def test_quiet_after_silence_where_it_may_ask() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9))
    assert story.wait(8.9) == []
    assert story.wait(9.1) == ["quiet", "needs:"]
    assert (story.now().evidence, story.now().confidence, story.done) == ("timer", "inferred", [])


def test_silence_completes_where_it_cannot_ask() -> None:
    story = Story()
    story.hear(2, NEVER_ASKS, prompt(0), answer(1.9))
    assert story.wait(11.9) == []
    assert story.wait(12.1) == ["completed", "done"]
    told = story.done[0]
    assert (told.evidence, told.confidence, told.duration) == ("timer", "inferred", 1_900_000)


def test_silence_takes_longer_where_nothing_has_told_whether_it_may_ask() -> None:
    story = Story()
    story.hear(2, UNTOLD, prompt(0), answer(1.9))
    assert story.wait(61.9) == []
    assert story.wait(62.1) == ["quiet", "needs:"]


def test_silence_takes_longer_while_a_span_may_still_tell() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0, trace="t"), answer(1.9))
    assert story.wait(13.9) == []
    assert story.wait(14.1) == ["quiet", "needs:"]


def test_silence_says_nothing_where_it_cannot_ask_and_spans_tell() -> None:
    story = Story()
    story.hear(2, NEVER_ASKS, prompt(0, trace="t"), answer(1.9))
    assert story.wait(3000) == []
    assert story.state() == "working"


def test_silence_may_rest_in_quiet_where_running_tools_are_silent_too() -> None:
    story = Story(rules={"rests": State.QUIET})
    story.hear(2, NEVER_ASKS, prompt(0), answer(1.9))
    assert story.wait(20) == ["quiet", "needs:"]


def test_silence_may_say_nothing_at_all() -> None:
    story = Story(unattended=None)
    story.hear(2, NEVER_ASKS, prompt(0), answer(1.9))
    assert story.wait(3000) == []


def test_late_news_of_what_it_could_always_do_corrects_what_silence_said() -> None:
    """It is from before the answer, so it held then: the same as if it had come in time."""
    story = Story()
    story.hear(2, prompt(0), answer(1.9))
    assert story.wait(100) == ["quiet", "needs:"]
    story.hear(101, NEVER_ASKS)
    story.wait(500)
    assert story.state() == "completed"


def test_any_word_makes_the_silence_begin_anew() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9))
    story.hear(8, detail(8, version="1"))
    assert story.wait(14.9) == []
    assert story.wait(15.1) == ["quiet", "needs:"]


def test_a_running_tool_is_never_quiet() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9), tool(1.95))
    assert story.wait(3000) == []
    assert (story.state(), story.now().current_tool) == ("working tool:Bash", "Bash")


def test_a_call_under_way_is_never_quiet() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1), calls(1.9))
    assert story.wait(3000) == []


def test_a_prompt_without_an_answer_is_never_quiet() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0))
    assert story.wait(3000) == []


def test_a_sub_agent_is_never_quiet() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), sub_agent(1), answer(1.9))
    assert story.wait(800) == []


def test_the_answer_of_a_helper_is_no_final_answer() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9, main=False))
    assert story.wait(3000) == []


def test_a_helper_after_the_final_answer_does_not_matter() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.5), calls(1.6, main=False), answer(1.9, main=False))
    assert story.wait(20) == ["quiet", "needs:"]


def test_where_nothing_tells_helpers_apart_the_main_model_does() -> None:
    story = Story()
    story.hear(2, ASKS, detail(main_model="big"), prompt(0), answer(1.9, main=None, model="small"))
    assert story.wait(500) == []
    story.hear(501, answer(500.9, main=None, model="big"))
    assert story.wait(600) == ["quiet", "needs:"]


def test_quiet_becomes_completed_when_the_proof_comes() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9))
    story.wait(60)
    assert story.hear(61, over(2, began=0)) == ["completed", "done"]


def test_quiet_becomes_working_when_more_is_heard() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9))
    story.wait(60)
    assert story.hear(61, tool(60.5)) == ["working"]


def test_quiet_calls_the_user_once() -> None:
    story = Story()
    story.hear(2, ASKS, prompt(0), answer(1.9))
    assert story.wait(60) == ["quiet", "needs:"]
    late = story.hear(61, answer(1.9, source=SPAN, usage=None)) + story.wait(3000)
    assert story.state() == "quiet"
    assert "needs:" not in late


@pytest.mark.parametrize("asks", [ASKS, NEVER_ASKS])
def test_what_is_no_work_does_not_break_the_silence(asks: ev.Event) -> None:
    """/help: a record comes, but the agent does nothing."""
    story = Story()
    story.hear(2, asks, prompt(0), answer(1.9))
    story.wait(60)
    assert story.hear(61, detail(61, version="1")) == []


@pytest.mark.parametrize(("then", "now"), [(ASKS, NEVER_ASKS), (NEVER_ASKS, ASKS)])
def test_what_silence_said_is_not_changed_by_another_approval_mode_later(then: ev.Event, now: ev.Event) -> None:
    story = Story()
    story.hear(2, then, prompt(0), answer(1.9))
    story.wait(60)
    said = story.state()
    story.hear(61, replace(now, at=us(61)))
    story.wait(200)
    assert story.state() == said


@pytest.mark.parametrize("proof", [over(2, began=0), stop(2)])
def test_where_somebody_says_so_no_silence_is_needed(proof: ev.Event) -> None:
    story = Story()
    assert story.hear(2, ASKS, prompt(0), answer(1.9), proof) == ["added", "completed", "done"]
