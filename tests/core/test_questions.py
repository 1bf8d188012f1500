"""What readers ask: which sessions, why, how much; and what they say: seen."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aimond.core import event as ev
from aimond.core.change import TurnCompleted
from aimond.core.ledger import Ledger
from aimond.core.snapshot import Basis
from aimond.core.turn import SECOND
from aimond.core.usage import Spent, Usage
from tests.core.story import (
    FAILED,
    HOOK,
    SPAN,
    Story,
    answer,
    asks,
    detail,
    failure,
    over,
    prompt,
    stop,
    tool,
    us,
    woke,
)

# -- acknowledging ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [stop(2), stop(2, outcome=FAILED)])
def test_what_was_seen_is_idle(end: ev.Event) -> None:
    story = Story()
    story.hear(2, prompt(0), end)
    assert story.acknowledge(3) == ["idle"]
    assert story.hear(4, answer(1.9)) == []
    assert story.wait(500) == []


def test_the_next_turn_is_news_again() -> None:
    story = Story()
    story.hear(2, prompt(0), stop(2))
    story.acknowledge(3)
    assert story.hear(6, prompt(4), stop(5)) == ["completed", "done"]


def test_a_turn_that_goes_on_after_it_was_seen_is_news_again() -> None:
    story = Story()
    story.hear(2, prompt(0, source=HOOK), stop(2))
    story.acknowledge(3)
    assert story.hear(4, woke(4, source=HOOK)) == ["working"]
    assert story.hear(5, stop(5)) == ["completed", "done"]


def test_a_turn_seen_as_quiet_and_then_proven_done_is_not_pushed_at_the_user_again() -> None:
    story = Story()
    story.hear(2, detail(asks=True), prompt(0), answer(1.9))
    story.wait(60)
    assert story.acknowledge(61) == ["idle"]
    story.hear(62, over(2, began=0))
    assert story.state() == "idle"


def test_a_failure_after_a_seen_quiet_is_news() -> None:
    story = Story()
    story.hear(2, detail(asks=True), prompt(0), answer(1.9))
    story.wait(60)
    story.acknowledge(61)
    assert story.hear(62, failure(61.5, "auth", final=True))[:2] == ["failed", "needs:auth"]


# -- looking ----------------------------------------------------------------------------------------


def test_the_most_urgent_session_comes_first() -> None:
    story = Story()
    story.hear(9, prompt(0, session="works"), prompt(0, session="asks"), asks(8, session="asks"))
    story.hear(9, prompt(0, session="done"), stop(9, session="done"))
    assert [shown.id for shown in story.tracker.snapshots()] == ["asks", "done", "works"]


def test_every_state_can_be_explained_the_newest_first() -> None:
    story = Story()
    story.hear(1, prompt(0, source=HOOK))
    story.hear(2, asks(2))
    story.hear(5, tool(4))
    reasons = story.tracker.explain("s")
    assert reasons is not None
    assert [(reason.state, reason.evidence) for reason in reasons[:2]] == [("working", "log"), ("waiting", "hook")]
    assert reasons[1].at == us(2)


def test_nobody_is_not_found() -> None:
    story = Story()
    story.hear(1, prompt(0))
    assert story.tracker.find("nobody") is None
    assert story.tracker.explain("nobody") is None


def test_an_explanation_is_bounded() -> None:
    story = Story()
    story.hear(0, prompt(0, source=HOOK))
    for at in range(1, 400, 2):
        story.hear(at, asks(at))
        story.hear(at + 1, tool(at + 0.5, call=str(at)))
    reasons = story.tracker.explain("s")
    assert reasons is not None
    assert len(reasons) == 64


# -- how many are kept ------------------------------------------------------------------------------


def test_the_session_silent_for_longest_is_evicted() -> None:
    story = Story(visible=3)
    for at, who in enumerate("abcd"):
        words = story.hear(at, prompt(at, session=who))
    assert words[-1] == "a removed:evicted"
    assert story.shown == ["b", "c", "d"]


def test_an_evicted_session_that_speaks_again_comes_back() -> None:
    story = Story(visible=2)
    for at, who in enumerate("abc"):
        story.hear(at, prompt(at, session=who))
    assert "a added" in story.hear(9, tool(8, session="a"))


@pytest.mark.parametrize("sessions", [300, 1500])
def test_one_request_may_name_more_sessions_than_are_kept(sessions: int) -> None:
    story = Story()
    story.hear(1, *(prompt(0, session=f"s{number}") for number in range(sessions)))
    assert len(story.shown) == 256
    assert story.hear(2, prompt(2, session="next"))[:2] == ["next added", "next working"]


def test_more_may_be_shown_than_are_kept_by_default() -> None:
    story = Story(visible=3000)
    for at in range(1100):
        story.hear(at, prompt(at, session=f"s{at}"))
    assert len(story.shown) == len(story.tracker.sessions) == 1100


def test_a_stream_of_sessions_is_forgotten_in_time() -> None:
    story = Story()
    for at in range(1500):
        story.hear(at, prompt(at, session=f"s{at}"))
    assert len(story.shown) == 256
    assert len(story.tracker.sessions) <= 1024


def test_a_long_turn_keeps_its_sums_when_its_beginning_is_told_anew() -> None:
    """More events than a turn remembers, and then the log's word on when it began."""
    story = Story()
    story.hear(1.2, prompt(1.2, source=HOOK))
    for number in range(700):
        story.hear(2 + number, answer(2 + number, tokens=1))
    story.hear(702, prompt(1.0))
    story.hear(703, stop(703, source=SPAN))
    assert (story.done[0].input_tokens, story.now().input_tokens) == (700, 700)


def test_a_turn_after_a_long_one_keeps_what_came_before_its_prompt() -> None:
    story = Story()
    story.hear(1, prompt(0))
    for number in range(600):
        story.hear(2 + number, tool(2 + number, call=f"c{number}"), answer(1.9 + number, tokens=1, took=0.1))
    story.hear(705, answer(704, tokens=50), stop(705, source=SPAN))
    story.hear(706, prompt(703))
    told = [change for change in story.told if isinstance(change, TurnCompleted)]
    assert told[-1].turn == 2
    assert told[-1].input_tokens == 50


# -- tokens and money -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("costs", "cost", "basis"),
    [
        ([], None, Basis.NONE),
        ([None], None, Basis.UNKNOWN),
        (["0.1", "0.2"], Decimal("0.3"), Basis.REPORTED),
        (["0.1", None], Decimal("0.1"), Basis.PARTIAL),
    ],
)
def test_a_sum_says_how_it_is_known(costs: list[str | None], cost: Decimal | None, basis: Basis) -> None:
    story = Story()
    calls = [answer(at + 1, cost=each and Decimal(each)) for at, each in enumerate(costs)]
    story.hear(9, prompt(0), *calls)
    assert (story.now().cost, story.now().cost_basis) == (cost, basis)
    totals = story.tracker.ledger.totals(us(-HOUR), us(-HOUR))
    assert (totals.cost_today, totals.cost_today_basis, totals.tokens_today) == (cost, basis, 11 * len(costs))


HOUR = 3600


def test_computed_and_reported_prices_mix() -> None:
    reported, computed = Spent(1, Usage(1), Decimal(1), reported=1), Spent(1, Usage(1), Decimal(2), computed=1)
    assert (reported + computed).basis == Basis.MIXED
    assert (reported + computed).known_cost == 3
    assert computed.basis == Basis.COMPUTED


def test_a_day_and_a_month_begin_when_they_are_said_to() -> None:
    ledger = Ledger()
    day = 20_000 * 24 * HOUR * SECOND
    for hours, tokens in ((-25, 1), (-1, 10), (0, 100), (23, 1000)):
        ledger.add(day + hours * HOUR * SECOND, Spent(1, Usage(input=tokens), Decimal(tokens), reported=1))
    totals = ledger.totals(day, day - 24 * HOUR * SECOND)
    assert (totals.tokens_today, totals.cost_today, totals.cost_month) == (1100, 1100, 1110)


def test_calls_count_on_the_day_they_ended_whenever_they_are_heard_of() -> None:
    story = Story()
    story.hear(2 * HOUR, prompt(-2 * HOUR), answer(-HOUR, tokens=7), answer(HOUR, tokens=100))
    assert story.tracker.ledger.totals(us(0), us(-24 * HOUR)).tokens_today == 101


def test_a_call_from_long_ago_does_not_make_the_ledger_forget_today() -> None:
    ledger = Ledger()
    now = us(0)
    ledger.add(now, Spent(1, Usage(input=5)))
    ledger.add(now - 400 * 24 * HOUR * SECOND, Spent(1, Usage(input=7)))
    ledger.add(now + HOUR * SECOND, Spent(1, Usage(input=5)))
    assert ledger.totals(now - HOUR * SECOND, now - HOUR * SECOND).tokens_today == 10


def test_two_months_are_kept() -> None:
    ledger = Ledger()
    for days in range(200):
        ledger.add(us(days * 24 * HOUR), Spent(1, Usage(input=1)))
    assert 60 <= ledger.since(0).requests <= 64


def test_tokens_told_by_log_and_proven_by_span_are_counted_once() -> None:
    story = Story()
    story.hear(3, prompt(0), answer(2, tokens=50), answer(2, source=SPAN, key="span", usage=None))
    assert (story.now().model_calls, story.now().input_tokens, story.now().output_tokens) == (1, 50, 1)
