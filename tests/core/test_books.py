"""What no call tells: a turn's price in place of its calls', and what only metrics have counted. Times in seconds."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from aimond.core import books
from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.journal import Journal
from aimond.core.measured import key_of
from aimond.core.price import Rate, Rates
from aimond.core.snapshot import Basis
from aimond.core.state import Patience
from aimond.core.tracker import Tracker
from aimond.core.usage import Spent, Usage
from tests.core.memory import Memory
from tests.core.story import us

WHO: dict[str, Any] = {"agent": "cli", "session": "s", "source": Source.LOG}
DOLLAR = Decimal(1)


class Table:
    """A dollar per million tokens, whatever they are, for models that begin with m."""

    def __init__(self) -> None:
        self.compared: list[tuple[str, Decimal, Decimal]] = []

    def priced(self, call: ev.ModelCallFinished) -> ev.ModelCallFinished:
        if call.usage is None or not call.model.startswith("m"):
            return call
        return replace(call, computed=Rates(Rate(DOLLAR), Rate(DOLLAR)).cost(call.usage))

    def compare(self, model: str, reported: Decimal, computed: Decimal) -> None:
        self.compared.append((model, reported, computed))


def prompt(at: float) -> ev.PromptSubmitted:
    return ev.PromptSubmitted(**WHO, at=us(at), key=f"prompt{at}")


def call(at: float, millions: int, model: str = "m", cost: str | None = None) -> ev.ModelCallFinished:
    usage = Usage(input=millions * 10**6)
    paid = None if cost is None else Decimal(cost)
    return ev.ModelCallFinished(**WHO, at=us(at), key=f"call{at}", model=model, usage=usage, cost=paid)


def price(turn: str, began: float, cost: str, told: float = 150) -> ev.TurnPriced:
    key = books.key_of(turn, us(began), us(told), Decimal(cost), "m")
    return ev.TurnPriced(**WHO, at=us(told), key=key, turn=turn, began=us(began), cost=Decimal(cost), model="m")


def measured(at: float, kind: str, amount: str, *, began: float = 0, cumulative: bool = False) -> ev.UsageMeasured:
    key = key_of(kind, "m", "", us(began), us(at), Decimal(amount), cumulative)
    said: dict[str, Any] = {"model": "m", "kind": kind, "amount": Decimal(amount), "cumulative": cumulative}
    return ev.UsageMeasured(**WHO, at=us(at), key=key, began=us(began), **said)


def tracker(table: Table | None = None) -> Tracker:
    return Tracker({"cli": Patience(prices_turns=True)}, pricing=table or Table())


def settled(events: list[ev.Event], table: Table | None = None) -> Spent:
    """What those come to, each a request of its own."""
    told = tracker(table)
    for event in events:
        told.apply([event], us(200))
    told.tick(us(220))
    session = told.sessions["cli", "s"]
    assert session.spent == told.ledger.since(0) == sum(session.models.values(), Spent())
    return session.spent


# -- turns ------------------------------------------------------------------------------------------

ONE_TURN = [prompt(1), call(2, 1), call(3, 2), price("a", 0.9, "0.50")]


def test_a_turns_price_stands_in_place_of_its_calls_prices() -> None:
    spent = settled(ONE_TURN)
    assert (spent.cost, spent.basis) == (Decimal("0.50"), Basis.REPORTED)
    assert (spent.requests, spent.usage.input) == (2, 3 * 10**6)
    assert (spent.table, spent.tabled) == (3, 2)


def test_whatever_comes_first_and_however_often() -> None:
    expected = settled(ONE_TURN)
    for order in permutations(ONE_TURN):
        assert settled([*order, *order]) == expected


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 3, 4, 0, 2]])
def test_only_the_turn_that_has_a_price_is_replaced(order: list[int]) -> None:
    events = [prompt(1), call(2, 1), prompt(10), call(11, 2), price("b", 9.8, "7")]
    spent = settled([events[place] for place in order])
    assert (spent.cost, spent.basis, spent.reported, spent.computed) == (Decimal(8), Basis.MIXED, 1, 1)


def test_a_cut_turn_without_calls_has_cost_money_too() -> None:
    spent = settled([prompt(1), price("a", 0.9, "0.25")])
    assert (spent.cost, spent.requests, spent.basis) == (Decimal("0.25"), 0, Basis.REPORTED)
    assert spent.known_cost == Decimal("0.25")


def test_a_turn_of_which_nothing_else_was_heard_waits() -> None:
    """It ended before the monitor came, which may have counted it in another life."""
    assert settled([price("a", 0.9, "0.25")]).cost == 0
    assert settled([price("a", 0.9, "0.25"), prompt(30), call(31, 1)]).cost == 1


def test_the_newest_word_on_a_turn_counts() -> None:
    events = [*ONE_TURN, price("a", 0.9, "0.75", told=160), price("a", 0.9, "0.60", told=155)]
    assert settled(events).cost == settled(events[::-1]).cost == Decimal("0.75")


def test_a_price_of_several_models_is_shared_and_not_lost() -> None:
    told = tracker()
    told.apply([prompt(1), call(2, 1), call(3, 2, "mm"), price("a", 0.9, "1")], us(200))
    models = told.sessions["cli", "s"].models
    assert models["m"].cost + models["mm"].cost == 1
    assert round(models["mm"].cost, 6) == Decimal("0.666667")


def test_calls_without_a_price_of_their_own_are_reported_then() -> None:
    spent = settled([prompt(1), call(2, 1, "unknown"), call(3, 1, "other"), price("a", 0.9, "1")])
    assert (spent.cost, spent.basis, spent.tabled) == (1, Basis.REPORTED, 0)


def test_a_turns_price_is_held_against_its_calls() -> None:
    table = Table()
    settled(ONE_TURN, table)
    assert table.compared[-1] == ("m", Decimal("0.50"), Decimal(3))


def test_a_long_session_forgets_turns_but_no_money() -> None:
    events: list[ev.Event] = []
    for turn in range(40):
        at = 100.0 * turn
        events += [prompt(at), call(at + 1, 1), call(at + 2, 1), price(f"t{turn}", at - 0.1, "0.5")]
    spent = settled(events)
    assert (spent.cost, spent.requests, spent.basis) == (20, 80, Basis.REPORTED)


# -- metrics ----------------------------------------------------------------------------------------

CUT = [
    call(2, 1, cost="3"),
    measured(5, "input", "1000000"),
    measured(5, "cost", "3"),
    measured(65, "input", "12", began=5),
    measured(65, "output", "37", began=5),
    measured(65, "cost", "0.0088880000000001", began=5),
]


def test_what_metrics_alone_have_counted_is_added_and_marked() -> None:
    spent = settled(CUT)
    assert (spent.usage.input, spent.usage.output, spent.requests) == (1_000_012, 37, 1)
    assert (spent.cost, spent.cut, spent.basis) == (Decimal("3.008888"), 1, Basis.REPORTED)


def test_in_any_order_and_again() -> None:
    expected = settled(CUT)
    for order in permutations(CUT):
        assert settled([*order, order[0], order[-1]]) == expected


def test_metrics_that_agree_with_the_calls_add_nothing() -> None:
    spent = settled(CUT[:3])
    assert (spent.cut, spent.cost, spent.usage.total) == (0, 3, 10**6)


def test_metrics_that_are_ahead_of_their_logs_are_not_counted_twice() -> None:
    told = tracker()
    told.apply(CUT[1:3], us(6))
    assert told.ledger.since(0).usage.total == 0
    assert told.deadline() == us(16)
    told.apply(CUT[:1], us(9))
    told.tick(us(16))
    assert told.ledger.since(0) == Spent(1, Usage(10**6), Decimal(3), 1, table=DOLLAR, tabled=1)
    assert told.deadline() is None or told.deadline() != us(16)


def test_logs_that_come_later_than_anyone_would_wait_take_their_tokens_back() -> None:
    told = tracker()
    told.apply(CUT[1:3], us(6))
    told.tick(us(16))
    assert told.ledger.since(0).cut == 1
    told.apply(CUT[:1], us(60))
    assert told.ledger.since(0) == Spent(1, Usage(10**6), Decimal(3), 1, table=DOLLAR, tabled=1)


def test_calls_without_metrics_are_no_debt() -> None:
    """Metrics may be off, or begin later; nothing is ever taken away."""
    spent = settled([call(2, 5, cost="1"), measured(65, "input", "12", began=60)])
    assert (spent.usage.input, spent.cut) == (5 * 10**6, 0)


def test_counters_that_add_up_themselves_begin_anew_with_the_process() -> None:
    grown = [measured(at, "input", amount, began=1, cumulative=True) for at, amount in ((5, "7"), (9, "9"), (7, "8"))]
    resumed = [measured(at, "input", amount, began=50, cumulative=True) for at, amount in ((60, "2"), (70, "3"))]
    for events in ([*grown, *resumed], [*resumed, *grown], [*grown, *grown, *resumed]):
        assert settled(events).usage.input == 12


def test_tokens_that_only_metrics_tell_have_a_price_if_the_table_knows() -> None:
    spent = settled([measured(65, "input", "1000000")])
    assert (spent.cost, spent.cut) == (1, 1)


def test_metrics_wake_no_session_up() -> None:
    told = tracker()
    assert told.apply([measured(65, "input", "12")], us(66)) == []
    assert told.tick(us(80)) == []
    assert not told.shown()


def test_a_stranger_may_invent_models_only_so_long() -> None:
    told = tracker()
    for number in range(1000):
        told.apply([replace(measured(65, "input", "1"), model=f"x{number}", key=f"{number}")], us(66))
    assert len(told.sessions["cli", "s"].books.measured.models) <= 64


# -- a later run of the monitor ---------------------------------------------------------------------

ALL = [*ONE_TURN, measured(65, "output", "37", began=5), measured(65, "cost", "9", began=5)]


def run(memory: Memory, events: list[ev.Event]) -> Spent:
    """A monitor that begins with what history has, hears those, and is killed."""
    journal = Journal()
    told = Tracker({"cli": Patience(prices_turns=True)}, journal=journal, pricing=Table())
    told.ledger.restore(memory.buckets())
    told.resume(memory.past(), us(300))
    for event in events:
        told.apply([event], us(300))
    told.tick(us(320))
    memory.put(journal.take(told.serves))
    spent = told.sessions["cli", "s"].spent if events else Spent()
    assert spent in (Spent(), told.ledger.since(0))
    assert sum(memory.buckets().values(), Spent()) == told.ledger.since(0)
    return spent


@pytest.mark.parametrize("killed", range(len(ALL) + 1))
def test_after_a_kill_and_all_of_it_again_the_totals_are_the_same(killed: int) -> None:
    expected, memory = settled(ALL), Memory()
    run(memory, ALL[:killed])
    assert run(memory, ALL) == expected
    assert run(memory, ALL[::-1]) == expected


def test_a_price_that_comes_after_a_restart_changes_that_turn_alone() -> None:
    first = [prompt(1), call(2, 1), price("a", 0.9, "0.5"), prompt(10), call(11, 1), call(12, 1)]
    late = [price("b", 9.9, "0.25"), call(13, 1)]
    memory = Memory()
    run(memory, first)
    assert run(memory, late).cost == settled([*first, *late]).cost == Decimal("0.75")
    assert sum(memory.buckets().values(), Spent()) == settled([*first, *late])
