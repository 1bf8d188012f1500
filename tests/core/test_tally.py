"""What was used since the start, as counters are to be: bounded, and never falling."""

from __future__ import annotations

from decimal import Decimal

from aimond.core.tally import MOST, OTHER, Tally
from aimond.core.usage import NOTHING, Spent, Usage

CALL = Spent(1, Usage(input=3, output=2), Decimal("0.5"), computed=1)
WHOSE = ("codex", "gpt-5.5", "aimond")


def test_calls_add_up_by_agent_model_and_project() -> None:
    tally = Tally()
    for project in ("one", "one", "two"):
        tally.add("codex", "gpt-5.5", project, CALL)
    assert {whose[2]: spent.requests for whose, spent in tally.spent.items()} == {"one": 2, "two": 1}


def test_strangers_cannot_make_it_grow() -> None:
    tally = Tally()
    for number in range(MOST + 50):
        tally.add("codex", f"model {number}", "", CALL)
    assert len(tally.spent) == MOST + 1
    assert tally.spent[OTHER, OTHER, OTHER].requests == 50


def test_a_sum_is_seen_to_rise_from_nothing() -> None:
    tally = Tally()
    tally.add(*WHOSE, CALL)
    assert tally.rising() == {WHOSE: NOTHING}
    assert tally.rising() == {WHOSE: CALL}


def test_a_price_that_is_corrected_downwards_makes_no_counter_fall() -> None:
    tally = Tally()
    tally.add(*WHOSE, CALL)
    tally.rising(), tally.rising()
    tally.add(*WHOSE, Spent(cost=Decimal("-0.2")))
    assert tally.spent[WHOSE].cost == Decimal("0.3")
    assert tally.rising()[WHOSE].cost == Decimal("0.5")
    tally.add(*WHOSE, CALL)
    assert tally.rising()[WHOSE].cost == Decimal("0.8")
