"""When the user is waited for, and what proves that he answered."""

from __future__ import annotations

import pytest

from aimond.core import event as ev
from tests.core.story import (
    HOOK,
    LOG,
    Story,
    answer,
    answered,
    asks,
    calls,
    cut,
    detail,
    exits,
    failure,
    over,
    prompt,
    ran,
    stop,
    sub_agent,
    sub_agent_done,
    tool,
    us,
)


def waiting(at: float = 5) -> Story:
    story = Story()
    story.hear(1, prompt(0, source=HOOK, pid=7))
    assert story.hear(at, asks(at)) == ["waiting", "needs:permission:Bash"]
    return story


def test_a_question_is_told_at_once_and_stands() -> None:
    story = waiting()
    assert story.wait(3000) == []
    assert story.state() == "waiting permission:Bash"
    assert story.now().state_since == us(5)


def test_a_question_of_the_agents_own_says_so() -> None:
    story = Story()
    assert story.hear(2, asks(2, tool="AskUserQuestion", kind="question"))[-1] == "needs:question:AskUserQuestion"


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(tool(9), id="the tool began"),
        pytest.param(ran(9), id="the tool ended"),
        pytest.param(ran(9, source=HOOK), id="a hook says that the tool ended"),
        pytest.param(calls(9), id="another call began"),
        pytest.param(answer(10, took=1), id="another call began, and ended"),
        pytest.param(failure(9), id="another call failed"),
        pytest.param(stop(9), id="the turn ended"),
        pytest.param(prompt(9), id="something else was asked"),
    ],
)
def test_what_could_not_have_happened_meanwhile_ends_the_wait(proof: ev.Event) -> None:
    story = waiting(at=5)
    assert story.hear(10, proof)[0] != "waiting"
    assert story.now().state.value != "waiting"


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(tool(4), id="another tool had begun"),
        pytest.param(ran(4), id="another tool had ended"),
        pytest.param(calls(4), id="the call had begun"),
        pytest.param(answer(4.9), id="the call had ended"),
        pytest.param(answer(6, took=2), id="the call that asked was logged after it"),
        pytest.param(failure(4, aborted=True), id="an attempt had been cut"),
        pytest.param(over(4, began=-9), id="the turn before had ended"),
    ],
)
def test_a_late_batch_cannot_end_a_wait_that_began_after_it(late: ev.Event) -> None:
    story = waiting(at=5)
    assert story.hear(10, late) == []
    assert story.state() == "waiting permission:Bash"


def test_a_helpers_call_does_not_end_a_wait() -> None:
    story = waiting(at=5)
    assert story.hear(10, calls(8, main=False), answer(9, main=False), failure(9, main=False)) == ["error:server"]
    assert story.state() == "waiting permission:Bash"


def test_a_granted_wait_goes_on_working() -> None:
    story = waiting()
    assert story.hear(9, tool(8)) == ["working"]
    assert story.state() == "working tool:Bash"


def test_a_denied_prompt_ends_the_wait() -> None:
    story = waiting()
    assert story.hear(9, ran(8, took=0), cut(8)) == ["idle"]
    assert (story.state(), story.done) == ("idle interrupted", [])


def test_another_tool_that_runs_beside_it_does_not_end_the_wait() -> None:
    story = Story()
    story.hear(5, prompt(0), tool(4, "read", name="Read"), asks(5, tool="Bash"))
    assert story.hear(7, ran(6, call="read", name="Read")) == []
    assert story.state() == "waiting permission:Bash"
    assert story.hear(8, tool(7.5, "bash", name="Bash")) == ["working"]


def test_a_tool_that_a_rule_let_run_answers_nothing() -> None:
    """Of tools that run side by side, one may be allowed beforehand."""
    story = waiting(at=5)
    assert story.hear(7, tool(6, "other", asked=False), ran(6.5, call="other")) == []
    assert story.state() == "waiting permission:Bash"
    assert story.hear(9, tool(8, asked=True)) == ["working"]


def test_of_two_questions_in_a_row_an_answer_ends_one() -> None:
    """Claude Code 2.1.330 asks for parallel tools one after the other; the records of the first answer come last."""
    story = waiting(at=5)
    assert story.hear(8.2, asks(8.2)) == ["needs:permission:Bash"]
    assert story.hear(9, tool(8, "one", asked=True), ran(8.1, call="one")) == []
    assert (story.state(), story.now().state_since) == ("waiting permission:Bash", us(8.2))
    assert story.hear(12, tool(11, "two", asked=True)) == ["working"]


def test_of_two_questions_at_once_an_answer_ends_one() -> None:
    story = Story()
    story.hear(6, prompt(0), asks(5), asks(5.1))
    story.hear(9, tool(8, "one", asked=True))
    assert story.state() == "waiting permission:Bash"
    story.hear(9.5, ran(9, call="one", took=0.9))
    assert story.state() == "waiting permission:Bash"
    assert story.hear(12, tool(11, "two", asked=True)) == ["working"]


def test_a_question_told_by_log_and_then_by_hook_is_one() -> None:
    story = Story()
    story.hear(4, prompt(0))
    story.hear(5, asks(4.9, source=LOG))
    story.hear(5.1, asks(5))
    assert story.hear(9, tool(8, asked=True)) == ["working"]


def test_where_hooks_are_heard_the_log_of_a_question_says_nothing_new() -> None:
    story = Story()
    story.hear(2, prompt(1, source=HOOK))
    assert story.hear(6, asks(5, source=LOG)) == []


def test_a_question_that_only_the_log_tells_of_is_one() -> None:
    """Hooks of the user's own, with telemetry that tells of them."""
    story = Story()
    story.hear(2, prompt(1))
    assert story.hear(6, asks(5, source=LOG)) == ["waiting", "needs:permission:Bash"]
    assert story.now().evidence == "log"


def test_a_sub_agent_asks_for_itself() -> None:
    """Its parent's turn may be over, and what its parent does answers nothing."""
    story = Story()
    story.hear(3, prompt(0, source=HOOK), sub_agent(1), stop(2))
    assert story.hear(5, asks(5, by="sub")) == ["waiting", "needs:permission:Bash"]
    assert story.hear(7, answer(6), tool(6.5), stop(6.8)) == []
    assert story.hear(9, answered(8, by="sub")) == ["working"]


def test_a_question_that_is_delivered_twice_is_one() -> None:
    story = Story()
    story.hear(3, prompt(0))
    story.hear(5, asks(4, source=LOG), asks(4, source=LOG))
    assert story.hear(9, tool(8, asked=True)) == ["working"]


def test_a_question_stays_answered_when_the_answer_is_long_past() -> None:
    """More events than a turn remembers: what proved the answer is forgotten, and the question with it."""
    story = Story()
    story.hear(3, prompt(0, source=HOOK), sub_agent(1), asks(2, by="sub"), answered(3, by="sub"))
    for number in range(1500):
        assert "waiting" not in story.hear(4 + number, answer(4 + number, main=False))
    assert story.hear(1600, asks(1600, by="sub"))[0] == "waiting"


def test_the_end_of_a_sub_agent_ends_its_question() -> None:
    story = Story()
    story.hear(3, prompt(0, source=HOOK), sub_agent(1), asks(2, by="sub"))
    assert story.hear(9, sub_agent_done(8)) == ["working"]


def test_a_second_word_of_the_same_wait_is_no_second_wait() -> None:
    story = waiting(at=5)
    assert story.hear(11, asks(11, tool="")) == []
    assert (story.state(), story.now().state_since) == ("waiting permission:Bash", us(5))


def test_each_wait_calls_the_user_once() -> None:
    story = waiting(at=5)
    story.hear(9, tool(8))
    assert story.hear(12, ran(11), asks(12)) == ["waiting", "needs:permission:Bash"]


def test_a_wait_that_follows_another_in_one_request_calls_again() -> None:
    story = waiting(at=5)
    assert story.hear(12, tool(8), ran(9), asks(12)) == ["needs:permission:Bash"]


def test_a_wait_that_is_over_when_it_is_heard_of_is_not_announced() -> None:
    story = Story()
    assert story.hear(9, prompt(0), asks(5), tool(6)) == ["added", "working"]


def test_a_wait_survives_the_late_news_of_its_own_prompt() -> None:
    story = Story()
    story.hear(2, prompt(0), stop(2))
    story.hear(5, asks(5))
    assert story.hear(8, prompt(4), answer(4.9)) == []
    assert (story.state(), story.now().turns) == ("waiting permission:Bash", 2)


def test_after_the_answer_it_works_since_then() -> None:
    story = waiting()
    story.hear(9, tool(8, source=HOOK))
    assert (story.now().state_since, story.now().evidence) == (us(8), "hook")


def test_an_exit_at_a_question_completes_nothing() -> None:
    """Its last answer asked for the tool, which no record may have told yet."""
    story = Story()
    story.hear(1, prompt(0, source=HOOK, pid=7))
    story.hear(5, answer(4.9), asks(5))
    assert story.hear(9, exits(9, pid=7)) == ["idle", "removed:exited"]


def test_an_exit_ends_the_wait() -> None:
    story = waiting()
    assert story.hear(9, exits(9, pid=7)) == ["idle", "removed:exited"]


def test_without_a_hook_nothing_claims_to_wait() -> None:
    story = Story()
    story.hear(5, prompt(0), detail(asks=True), answer(1), tool(2), ran(3), answer(4, ends=False))
    story.wait(3000)
    assert "waiting" not in {change.session.state.value for change in story.told}
