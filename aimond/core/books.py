"""What of a session's usage no single call tells: the price of a whole turn, and what only metrics carry.

Both correct the sum of the calls, and both can come before, between or after them, and more than once. So facts are
kept, the corrections that follow from them are derived anew each time, and only the difference is booked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.measured import NANO, Measured
from aimond.core.rows import CallRow
from aimond.core.snapshot import Basis
from aimond.core.usage import NOTHING, Spent

# Of a session whose CLI prices turns: its calls, and the turns that a price may still change.
CALLS_KEPT: Final = 2048
TURNS_KEPT: Final = 16
# A turn's id is made 5 to 360 ms before its prompt's record (Codex 0.169.0); prompts closer than this are one.
PROMPT_LATE: Final = 5_000_000
SAME_PROMPT: Final = 2_000_000
_NO_MONEY: Final = Decimal(0)


class Standing(Struct, frozen=True):
    """What stands in the sums under one key, and (``base``) what would without a correction: a call as it was priced,
    or nothing."""

    at: int
    model: str
    spent: Spent
    base: Spent = NOTHING


class Change(Struct, frozen=True):
    """What stands under a key now, and what that adds to the sums."""

    key: str
    now: Standing
    added: Spent


def key_of(turn: str, began: int, at: int, cost: Decimal, model: str) -> str:
    """The key of a turn's price. It says all of it, so that a later run knows by the keys that were counted."""
    return "\t".join(("turn cost", turn, str(began), str(at), str(cost), model))


def turns_in(agent: str, session: str, keys: Iterable[str]) -> Iterator[ev.TurnPriced]:
    """The prices of turns that those keys tell of."""
    for key in keys:
        if key.startswith("turn cost\t") and key.count("\t") == 5:
            _, turn, began, at, cost, model = key.split("\t")
            yield ev.TurnPriced(
                agent=agent,
                session=session,
                source=Source.LOG,
                key=key,
                turn=turn,
                began=int(began),
                at=int(at),
                cost=Decimal(cost),
                model=model,
            )


class Books:
    """The corrections of one session, and the facts they follow from."""

    __slots__ = ("_booked", "_calls", "measured", "turns")

    def __init__(self) -> None:
        self._calls: dict[str, Standing] = {}
        self.turns: dict[str, ev.TurnPriced] = {}
        self.measured = Measured()
        self._booked: dict[str, dict[str, Standing]] = {"turn": {}, "cut": {}}

    # -- facts --------------------------------------------------------------------------------------

    def called(self, call: ev.ModelCallFinished) -> None:
        """Remember a call that its turn's price may replace."""
        self._calls[call.key] = Standing(call.at, call.model, call.spent, call.spent)
        if len(self._calls) > CALLS_KEPT:
            oldest = next(iter(self._calls))
            del self._calls[oldest]
            self._booked["turn"].pop(oldest, None)

    def priced(self, turn: ev.TurnPriced) -> None:
        """Remember what a turn cost: its newest word."""
        known = self.turns.get(turn.turn)
        if known is None or (turn.at, turn.cost) > (known.at, known.cost):
            self.turns[turn.turn] = turn

    def restore(self, rows: Iterable[CallRow], prompts: Sequence[int], turns: Iterable[ev.TurnPriced]) -> None:
        """Take over what stands in the sums since an earlier run: corrections, and the calls and prices of the turns
        whose prompts are known, as they may change. Others stand as they are."""
        first = min(prompts, default=2**63)
        for turn in turns:
            if turn.began >= first - PROMPT_LATE:
                self.priced(turn)
        for row in rows:
            if row.spent.cut:
                self._booked["cut"][row.key] = Standing(row.at, row.model, row.spent)
            elif row.requests and row.at >= first:
                base = row.spent if row.basis is not Basis.REPORTED else _by_table(row)
                self._calls[row.key] = Standing(row.at, row.model, base, base)
                if base != row.spent:
                    self._booked["turn"][row.key] = Standing(row.at, row.model, row.spent, base)
            elif row.cost and row.key in map(_name, self.turns.values()):
                self._booked["turn"][row.key] = Standing(row.at, row.model, row.spent)

    def is_cut(self, model: str) -> bool:
        """Whether something is booked for that model which a late call may turn out to be."""
        return any(standing.model == model for standing in self._booked["cut"].values())

    # -- the prices of turns ------------------------------------------------------------------------

    def turn_changes(self, prompts: Sequence[int]) -> list[Change]:
        """What to book so that the reported price of each turn stands in place of what its calls were priced at. A turn
        whose prompt is not known waits for it."""
        starts = _starts(prompts)
        turns: dict[int, list[ev.TurnPriced]] = {}
        for turn in self.turns.values():
            if (start := _start_of(turn.began, starts)) is not None:
                turns.setdefault(start, []).append(turn)
        calls: dict[int, dict[str, Standing]] = {start: {} for start in turns}
        for key, call in self._calls.items():
            if (index := bisect_right(starts, call.at)) and starts[index - 1] in calls:
                calls[starts[index - 1]][key] = call
        wanted: dict[str, Standing] = {}
        for start, own in turns.items():
            wanted |= _in_place_of(calls[start], own)
        changes = self._book("turn", wanted)
        for start in sorted(turns)[:-TURNS_KEPT]:
            self._close(calls[start], turns[start])
        return changes

    def _close(self, calls: Iterable[str], turns: Iterable[ev.TurnPriced]) -> None:
        """Let what is booked for that turn stand for good."""
        for key in calls:
            self._calls.pop(key, None)
            self._booked["turn"].pop(key, None)
        for turn in turns:
            self.turns.pop(turn.turn, None)
            self._booked["turn"].pop(_name(turn), None)

    # -- what only metrics carry --------------------------------------------------------------------

    def surplus(self, model: str, counted: Spent) -> ev.ModelCallFinished | None:
        """What metrics have counted of that model beyond its calls, as if it were one more; None if there is none."""
        for standing in self._booked["cut"].values():
            if standing.model == model:
                counted -= standing.spent
        return self.measured.beyond(model, counted)

    def cut_changes(self, model: str, surplus: Spent) -> list[Change]:
        """What to book so that this stands for what metrics alone tell of that model. It is no call."""
        booked = self._booked["cut"]
        wanted = {key: standing for key, standing in booked.items() if standing.model != model}
        if surplus.usage:
            key, at = f"cut:{model}", self.measured.at(model)
            spent = Spent(0, surplus.usage, surplus.cost, table=surplus.table, cut=1)
            wanted[key] = Standing(at, model, spent)
        return self._book("cut", wanted)

    def _book(self, part: str, wanted: Mapping[str, Standing]) -> list[Change]:
        """The difference between what is booked of that part and what should be."""
        booked, changes = self._booked[part], []
        for key in dict.fromkeys([*booked, *wanted]):
            old, new = booked.get(key), wanted.get(key)
            if old is None:
                if new and new.spent != new.base:
                    changes.append(Change(key, new, new.spent - new.base))
                    booked[key] = new
            elif new is None:
                del booked[key]
                back = Standing(old.at, old.model, old.base, old.base)
                changes.append(Change(key, back, old.base - old.spent))
            elif new.spent != old.spent:
                # It stays where it was counted, though the newest word on it is later.
                booked[key] = Standing(old.at, old.model, new.spent, old.base)
                changes.append(Change(key, booked[key], new.spent - old.spent))
        return changes


def _starts(prompts: Sequence[int]) -> list[int]:
    """When turns began: a prompt that hook and log both tell of is one."""
    starts: list[int] = []
    for prompt in sorted(prompts):
        if not starts or prompt > starts[-1] + SAME_PROMPT:
            starts.append(prompt)
    return starts


def _start_of(began: int, starts: list[int]) -> int | None:
    """The turn that began then: its prompt comes just after, else (Codex compacting) it is part of the one before."""
    index = bisect_right(starts, began - 1)
    if index < len(starts) and starts[index] - began < PROMPT_LATE:
        return starts[index]
    return starts[index - 1] if index else None


def _name(turn: ev.TurnPriced) -> str:
    return f"turn:{turn.turn}"


def _by_table(row: CallRow) -> Spent:
    return replace(row, cost=row.computed, basis=Basis.UNKNOWN if row.computed is None else Basis.COMPUTED).spent


def _in_place_of(calls: Mapping[str, Standing], turns: list[ev.TurnPriced]) -> dict[str, Standing]:
    """Those calls, at what the turns cost, each in proportion to its own price; turns without any call as they are."""
    cost = sum((turn.cost for turn in turns), _NO_MONEY)
    if not calls:
        first = min(turns, key=lambda turn: (turn.began, turn.turn))
        return {_name(first): Standing(first.began, first.model, Spent(cost=cost))}
    # In one order, whatever order they came in: what rounding leaves goes to the last.
    ordered = sorted(calls.items(), key=lambda item: (item[1].at, item[0]))
    weights = [call.spent.table for _, call in ordered]
    if not all(weights):
        weights = [Decimal(call.spent.usage.total) for _, call in ordered]
    whole, left, standings = sum(weights, _NO_MONEY), cost, dict[str, Standing]()
    for place, (key, call) in enumerate(ordered, 1):
        share = left if place == len(ordered) else (cost * weights[place - 1] / whole).quantize(NANO)
        left -= share
        table, tabled = call.spent.table, call.spent.tabled
        spent = Spent(1, call.spent.usage, share, reported=1, table=table, tabled=tabled)
        standings[key] = Standing(call.at, call.model, spent, call.base)
    return standings
