"""What failures come to: retried, final, given up, cut."""

from __future__ import annotations

from tests.core.story import (
    FAILED,
    HOOK,
    Story,
    answer,
    calls,
    detail,
    failure,
    prompt,
    stop,
)

ASKS, NEVER_ASKS, UNTOLD = detail(asks=True), detail(asks=False), detail()


def test_a_final_failure_is_told_at_once() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.hear(3, failure(2, "auth", final=True)) == ["failed", "needs:auth", "error:auth"]


def test_a_failed_attempt_is_no_failure_while_a_retry_may_come() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.hear(3, failure(2, "rate_limit")) == ["error:rate_limit"]
    assert (story.state(), story.now().errors) == ("working retrying", 1)
    assert story.hear(40, answer(39)) == []
    assert story.state() == "working"


def test_when_no_retry_follows_it_gave_up() -> None:
    story = Story()
    story.hear(1, prompt(0))
    story.hear(3, failure(2, "rate_limit"))
    assert story.wait(77.9) == []
    assert story.wait(78.1) == ["failed", "needs:rate_limit"]
    assert (story.now().evidence, story.now().confidence) == ("timer", "inferred")


def test_a_retry_under_way_is_awaited() -> None:
    story = Story()
    story.hear(1, prompt(0))
    story.hear(3, failure(2, "rate_limit"), calls(2.5))
    assert story.wait(3000) == []
    assert story.state() == "working"


def test_an_answer_after_a_failure_mends_it() -> None:
    story = Story()
    story.hear(1, prompt(0))
    story.hear(3, failure(2, final=True))
    assert story.hear(9, answer(8)) == ["working"]


def test_a_failure_before_the_answer_that_was_heard_first_is_no_failure() -> None:
    story = Story()
    story.hear(3, prompt(0), NEVER_ASKS, answer(2.9))
    story.hear(4, failure(1, final=True))
    story.wait(60)
    assert story.state() == "completed"


def test_a_call_the_user_cut_is_no_error() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.hear(3, failure(2, aborted=True, final=True)) == []
    assert (story.now().errors, story.now().last_error_class) == (0, "")


def test_a_helpers_failure_is_counted_and_fails_nothing() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.hear(3, failure(2, "auth", main=False, final=True)) == ["error:auth"]
    assert (story.state(), story.now().errors) == ("working", 1)


def test_a_failure_calls_the_user_once() -> None:
    story = Story()
    story.hear(1, prompt(0, source=HOOK))
    story.hear(3, stop(3, outcome=FAILED, error_class="server"))
    assert story.hear(8, prompt(0), failure(2.9, final=True)) == ["error:server"]
    assert story.wait(3000) == []


def test_the_newest_error_is_the_last_one_whatever_came_first() -> None:
    story = Story()
    story.hear(9, prompt(0), failure(8, "auth", message="HTTP 401"))
    story.hear(9, failure(2, "server", message="HTTP 500"))
    assert (story.now().errors, story.now().last_error, story.now().last_error_class) == (2, "HTTP 401", "auth")
