"""What was spent against what may be: limits that users set, and when each of their thresholds is crossed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core.change import BudgetCrossed
from aimond.core.snapshot import SessionSnapshot
from aimond.core.usage import Spent

USD: Final = "USD"
TOKENS: Final = "tokens"
# Who asks again about a day that is this long gone, asks history.
KEPT: Final = timedelta(days=70)


class Budget(Struct, frozen=True, kw_only=True):
    """A limit. ``scope``: ``all``, ``agent``, ``project`` or ``model``; ``of``: which one, "" gives each its own limit.
    ``period``: ``session``, ``day``, ``week`` (from Monday) or ``month``, local. ``limit``: in ``unit``, ``USD`` or
    ``tokens``. ``thresholds``: in percent."""

    name: str
    limit: Decimal
    scope: str = "all"
    of: str = ""
    period: str = "day"
    unit: str = USD
    thresholds: tuple[int, ...] = (50, 80, 100)


class Spending(Struct, frozen=True):
    """A part of what was spent, on which local day, and whose. A hidden thread spends for the session it serves."""

    day: date
    agent: str
    session: str
    project: str
    model: str
    spent: Spent


class Crossing(Struct, frozen=True):
    """A threshold was crossed: of that budget, for the agent, project or model ``of`` ("" of all), in that period (the
    day it begins, or the session). ``spent`` and ``limit`` are in the budget's unit."""

    budget: str
    of: str
    period: str
    threshold: int
    spent: Decimal
    limit: Decimal
    unit: str

    def told(self, session: SessionSnapshot | None) -> BudgetCrossed:
        """As readers are told of it; ``session``: whose call it was."""
        fraction = self.threshold / 100
        return BudgetCrossed(session, self.budget, self.spent, self.limit, fraction, self.unit)


class Standing(Struct, frozen=True):
    """How much of a budget is spent in the present period: by whoever has spent most, where each has the limit for
    itself. ``spent`` and ``limit`` are in the budget's unit."""

    budget: str
    spent: Decimal
    limit: Decimal
    unit: str


# Budget, of, period; and a threshold of it that was told.
Place = tuple[str, str, str]
Told = tuple[str, str, str, int]


def utc(at: int) -> date:
    """The day of a time (µs), where nobody knows the time zone."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).date()


_FIRST_DAY: Final[dict[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}
_OF: Final[dict[str, Callable[[Spending], str]]] = {
    "all": lambda part: "",
    "agent": lambda part: part.agent,
    "project": lambda part: part.project,
    "model": lambda part: part.model,
}


class Budgets:
    """All budgets, and what was spent of each. A call counts in the period that its own time lies in, so that neither
    midnight nor a clock that is set back moves it to another. ``day_of``: the local day of a time (µs)."""

    def __init__(self, budgets: Sequence[Budget] = (), day_of: Callable[[int], date] = utc) -> None:
        self.budgets, self._day_of = tuple(budgets), day_of
        self.told: set[Told] = set()
        self._parts: dict[tuple[date, str, str, str], Spending] = {}
        self._sums: dict[Place, Decimal] = {}

    def restore(self, parts: Iterable[Spending], told: Iterable[Told]) -> None:
        """Take over what an earlier run has counted and told."""
        self.told.update(told)
        for part in parts:
            self._add(part)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.budgets)

    def count(self, at: int, agent: str, session: str, project: str, model: str, spent: Spent) -> list[Crossing]:
        """More was spent at that time (µs); which thresholds that crosses, the lower ones first."""
        part = Spending(self._day_of(at), agent, session, project, model, spent)
        known = self._parts.get(_key(part))
        if known and known.project != part.project:
            self._move(part)
        self._add(part)
        return list(self._crossed(part))

    def _move(self, now: Spending) -> None:
        """All that the session has spent belongs to its project, which became known only now."""
        for key, part in list(self._parts.items()):
            if (part.agent, part.session) == (now.agent, now.session):
                self._sum(part, -1)
                self._parts[key] = replace(part, project=now.project)
                self._sum(self._parts[key], 1)

    def owed(self) -> list[Crossing]:
        """Thresholds that are crossed and were not told: of a budget that is new, or lower than it was."""
        return [crossing for part in self._parts.values() for crossing in self._crossed(part)]

    def spent(self, budget: Budget, day: date) -> Decimal:
        """What was spent of it in the period of that day, or by sessions that spent something on it; the most that
        anybody has, where each has a limit."""
        first = _FIRST_DAY.get(budget.period)
        if first:
            periods = {first(day).isoformat()}
        else:
            periods = {f"{part.agent}:{part.session}" for part in self._parts.values() if part.day == day}
        sums = (spent for (name, _, of), spent in self._sums.items() if name == budget.name and of in periods)
        return max(sums, default=Decimal(0))

    def standing(self, day: date) -> list[Standing]:
        """All budgets on that day, as the settings have them."""
        return [Standing(each.name, self.spent(each, day), each.limit, each.unit) for each in self.budgets]

    def _add(self, part: Spending) -> None:
        known = self._parts.get(_key(part))
        if known is None:
            self._forget(part.day)
        self._parts[_key(part)] = part if known is None else replace(known, spent=known.spent + part.spent)
        self._sum(part, 1)

    def _sum(self, part: Spending, sign: int) -> None:
        for budget in self.budgets:
            if place := _place(budget, part):
                self._sums[place] = self._sums.get(place, Decimal(0)) + sign * _amount(budget, part.spent)

    def _crossed(self, part: Spending) -> Iterator[Crossing]:
        for budget in self.budgets:
            place = _place(budget, part)
            if place is None:
                continue
            spent = self._sums[place]
            for threshold in sorted(budget.thresholds):
                if spent * 100 >= budget.limit * threshold and (*place, threshold) not in self.told:
                    self.told.add((*place, threshold))
                    yield Crossing(*place, threshold, spent, budget.limit, budget.unit)

    def _forget(self, newest: date) -> None:
        old = [key for key in self._parts if key[0] < newest - KEPT]
        if not old:
            return
        for key in old:
            del self._parts[key]
        self._sums.clear()
        for part in self._parts.values():
            self._sum(part, 1)
        self.told = {told for told in self.told if told[:3] in self._sums}


def _key(part: Spending) -> tuple[date, str, str, str]:
    return part.day, part.agent, part.session, part.model


def _place(budget: Budget, part: Spending) -> Place | None:
    """Where a part counts: budget, of, period; None where it does not."""
    of = _OF[budget.scope](part)
    if budget.of and of != budget.of:
        return None
    first = _FIRST_DAY.get(budget.period)
    return budget.name, of, first(part.day).isoformat() if first else f"{part.agent}:{part.session}"


def _amount(budget: Budget, spent: Spent) -> Decimal:
    return spent.cost if budget.unit == USD else Decimal(spent.usage.total)
