"""Tokens and money of model calls, and how they add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple

from aimond.core.snapshot import Basis


class Usage(Struct, frozen=True):
    """Tokens as they are billed: ``input`` is uncached, ``output`` includes ``reasoning``; nothing is counted twice but
    that. ``cache_write`` is the 5-minute and the 1-hour kind together, ``cache_write_1h`` the latter alone, 0 where the
    CLI does not tell them apart. ``tool_prompt`` is Gemini's tool-use prompt."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    tool_prompt: int = 0
    output: int = 0
    reasoning: int = 0
    cache_write_1h: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.tool_prompt + other.tool_prompt,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.cache_write_1h + other.cache_write_1h,
        )

    def __bool__(self) -> bool:
        return self.total > 0

    @property
    def whole_input(self) -> int:
        """All that the model read, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.tool_prompt

    @property
    def total(self) -> int:
        """Input and output, cache reads included."""
        return self.whole_input + self.output


class Spent(Struct, frozen=True):
    """What some model calls used. ``cost`` is the sum of the known prices in USD; ``reported`` and ``computed`` count
    the calls whose price the CLI gave or a price table did, ``estimated`` those of the latter that the table only
    guesses at. ``table`` is what the table says of all calls it knows, reported ones too, and ``tabled`` their number:
    the reported and the computed price side by side. ``cut`` counts the additions to all this that no record of a call
    stands for: tokens of streams that were cut, which only metrics tell."""

    requests: int = 0
    usage: Usage = Usage()
    cost: Decimal = Decimal(0)
    reported: int = 0
    computed: int = 0
    estimated: int = 0
    table: Decimal = Decimal(0)
    tabled: int = 0
    cut: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.usage + other.usage,
            self.cost + other.cost,
            self.reported + other.reported,
            self.computed + other.computed,
            self.estimated + other.estimated,
            self.table + other.table,
            self.tabled + other.tabled,
            self.cut + other.cut,
        )

    def __neg__(self) -> Spent:
        usage, *rest = (getattr(self, name) for name in _SPENT)
        return Spent(-self.requests, Usage(*(-count for count in astuple(usage))), *(-amount for amount in rest))

    def __sub__(self, part: Spent) -> Spent:
        return self + -part

    @property
    def basis(self) -> Basis:
        """How the cost is known: every call has to be priced before a sum may call itself more than PARTIAL."""
        priced = self.reported + self.computed
        if self.requests == 0:
            return Basis.REPORTED if self.cost else Basis.NONE
        if priced < self.requests:
            return Basis.PARTIAL if priced else Basis.UNKNOWN
        if self.reported and self.computed:
            return Basis.MIXED
        return Basis.REPORTED if self.reported else Basis.COMPUTED

    @property
    def known_cost(self) -> Decimal | None:
        """The cost in USD, None when no call had a price."""
        return self.cost if self.reported + self.computed or self.cost else None


_SPENT: Final = Spent.__struct_fields__[1:]
NOTHING: Final = Spent()


def of_call(usage: Usage | None, cost: Decimal | None, computed: Decimal | None, estimated: bool) -> Spent:
    """What one call used; what the CLI says of its price goes before what a table does."""
    if usage is None:
        return NOTHING
    if computed is None:
        return Spent(1, usage, cost or NOTHING.cost, int(cost is not None))
    if cost is None:
        return Spent(1, usage, computed, 0, 1, int(estimated), computed, 1)
    return Spent(1, usage, cost, 1, 0, 0, computed, 1)


def total(parts: Iterable[Spent]) -> Spent:
    """The sum of all parts."""
    whole: Spent | None = None
    for part in parts:
        whole = part if whole is None else whole + part
    return whole or NOTHING


def by_model(*parts: Mapping[str, Spent]) -> dict[str, Spent]:
    """The sum of all parts, model by model."""
    models: dict[str, Spent] = {}
    for part in parts:
        for model, spent in part.items():
            models[model] = models.get(model, NOTHING) + spent
    return models
