"""Budgets: each threshold is told once per period, at the call that crosses it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from aimond.core.budget import Budget, Budgets, Crossing, Spending
from aimond.core.turn import SECOND
from aimond.core.usage import Spent, Usage

TODAY = date(2026, 11, 26)  # a Thursday
YESTERDAY, MONDAY, SUNDAY = date(2026, 11, 25), date(2026, 11, 23), date(2026, 11, 22)


def spending(
    cost: str = "0", day: date = TODAY, agent: str = "codex", session: str = "s", project: str = "p", tokens: int = 0
) -> Spending:
    spent = Spent(1, Usage(input=tokens), Decimal(cost), 1)
    return Spending(day, agent, session, project, "gpt", spent)


def count(budgets: Budgets, part: Spending) -> list[Crossing]:
    at = datetime.combine(part.day, time(12), UTC)
    return budgets.count(round(at.timestamp()) * SECOND, part.agent, part.session, part.project, part.model, part.spent)


def words(crossings: list[Crossing]) -> list[str]:
    return [f"{one.budget} {one.of} {one.period} {one.threshold}".replace("  ", " ") for one in crossings]


def test_each_threshold_is_told_at_the_call_that_crosses_it() -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(10))])
    told = [words(count(budgets, spending("1"))) for _ in range(12)]
    day = "b 2026-11-26"
    assert [line for line in told if line] == [[f"{day} 50"], [f"{day} 80"], [f"{day} 100"]]
    assert [told.index([f"{day} {threshold}"]) for threshold in (50, 80, 100)] == [4, 7, 9]


def test_one_call_may_cross_them_all() -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(1))])
    assert [crossing.threshold for crossing in count(budgets, spending("2"))] == [50, 80, 100]


def test_midnight_begins_a_new_day_and_a_clock_that_is_set_back_goes_on_with_the_old_one() -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(1), thresholds=(100,))])
    assert words(count(budgets, spending("1", YESTERDAY))) == ["b 2026-11-25 100"]
    assert words(count(budgets, spending("1", TODAY))) == ["b 2026-11-26 100"]
    assert words(count(budgets, spending("1", YESTERDAY))) == []


@pytest.mark.parametrize(
    ("period", "days", "expected"),
    [
        ("day", [SUNDAY, MONDAY, TODAY], []),
        ("week", [SUNDAY, MONDAY], []),
        ("week", [MONDAY, TODAY], ["b 2026-11-23 100"]),
        ("month", [date(2026, 10, 31), TODAY], []),
        ("month", [SUNDAY, TODAY], ["b 2026-11-01 100"]),
        ("session", [YESTERDAY, TODAY], ["b codex:s 100"]),
    ],
)
def test_what_a_period_is(period: str, days: list[date], expected: list[str]) -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(2), period=period, thresholds=(100,))])
    assert words([one for day in days for one in count(budgets, spending("1", day))]) == expected


@pytest.mark.parametrize(
    ("scope", "of", "expected"),
    [
        ("all", "", ["b 2026-11-26 100"]),
        ("agent", "codex", []),
        ("agent", "claude-code", ["b claude-code 2026-11-26 100"]),
        ("project", "", ["b q 2026-11-26 100"]),
        ("model", "gpt", ["b gpt 2026-11-26 100"]),
        ("model", "other", []),
    ],
)
def test_what_a_budget_is_of(scope: str, of: str, expected: list[str]) -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(2), scope=scope, of=of, thresholds=(100,))])
    other = [spending("1", agent="claude-code", project="q", session=session) for session in "tu"]
    parts = [spending("1"), *other]
    assert words([one for part in parts for one in count(budgets, part)]) == expected


def test_tokens_have_limits_too_and_a_call_without_a_price_costs_nothing_known() -> None:
    budgets = Budgets(
        [
            Budget(name="tokens", limit=Decimal(100), unit="tokens", thresholds=(100,)),
            Budget(name="money", limit=Decimal("0.01"), thresholds=(100,)),
        ]
    )
    unknown = Spending(TODAY, "codex", "s", "p", "new-model", Spent(1, Usage(input=60, output=40)))
    assert words(count(budgets, unknown)) == ["tokens 2026-11-26 100"]


def test_a_restart_tells_nothing_twice() -> None:
    wanted = [Budget(name="b", limit=Decimal(10))]
    first = Budgets(wanted)
    parts = [spending("1") for _ in range(6)]
    assert len([one for part in parts for one in count(first, part)]) == 1
    again = Budgets(wanted)
    again.restore(parts, first.told)
    assert again.owed() == []
    assert words([one for _ in range(6) for one in count(again, spending("1"))]) == [
        "b 2026-11-26 80",
        "b 2026-11-26 100",
    ]


def test_a_budget_that_is_lower_than_it_was_is_told_of_at_once() -> None:
    again = Budgets([Budget(name="b", limit=Decimal(5))])
    again.restore([spending("6")], {("b", "", "2026-11-26", 50)})
    assert words(again.owed()) == ["b 2026-11-26 80", "b 2026-11-26 100"]
    assert again.owed() == []


def test_a_project_that_becomes_known_late_takes_all_that_its_session_spent() -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(2), scope="project", of="late", thresholds=(100,))])
    assert count(budgets, spending("1.5", project="")) == []
    assert words(count(budgets, spending("0.5", project="late"))) == ["b late 2026-11-26 100"]


def test_old_days_are_forgotten_and_the_sums_of_the_others_stay() -> None:
    budgets = Budgets([Budget(name="b", limit=Decimal(3), period="session", thresholds=(100,))])
    count(budgets, spending("1", date(2026, 1, 1), session="old"))
    for day in (YESTERDAY, TODAY):
        assert count(budgets, spending("1", day)) == []
    assert budgets.spent(budgets.budgets[0], TODAY) == 2
    assert words(count(budgets, spending("1"))) == ["b codex:s 100"]


def test_what_stands_is_of_the_present_period_and_of_who_spent_most() -> None:
    wanted = [
        Budget(name="day", limit=Decimal(4)),
        Budget(name="month", limit=Decimal(9), period="month"),
        Budget(name="each", limit=Decimal(3), scope="project"),
        Budget(name="session", limit=Decimal(5), period="session"),
        Budget(name="nobody", limit=Decimal(1), scope="agent", of="gemini-cli"),
    ]
    budgets = Budgets(wanted)
    count(budgets, spending("4", YESTERDAY, session="old"))
    count(budgets, spending("2", project="one"))
    count(budgets, spending("1", project="two", session="t"))
    standing = {each.budget: (each.spent, each.limit) for each in budgets.standing(TODAY)}
    assert standing == {"day": (3, 4), "month": (7, 9), "each": (2, 3), "session": (2, 5), "nobody": (0, 1)}


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_the_same_thresholds_are_told(seed: int) -> None:
    chance = random.Random(seed)
    wanted = [
        Budget(name="day", limit=Decimal(4)),
        Budget(name="week", limit=Decimal(9), period="week", scope="agent"),
        Budget(name="session", limit=Decimal(2), period="session", thresholds=(100,)),
    ]
    parts = [
        spending(
            str(chance.choice(["0.5", "1", "0"])),
            chance.choice([SUNDAY, MONDAY, YESTERDAY, TODAY]),
            chance.choice(["codex", "claude-code"]),
            chance.choice("stu"),
        )
        for _ in range(40)
    ]
    told = []
    for _ in range(2):
        budgets = Budgets(wanted)
        told.append(sorted(words([one for part in parts for one in count(budgets, part)])))
        chance.shuffle(parts)
    assert told[0] == told[1]
    assert len(set(told[0])) == len(told[0])
