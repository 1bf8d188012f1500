"""Prices of models, as plain values: what a call costs, once somebody has looked them up."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

from msgspec import Struct

from aimond.core.event import ModelCallFinished
from aimond.core.usage import Usage

ZERO: Final = Decimal(0)
_PER_MILLION: Final = -6


class Rate(Struct, frozen=True):
    """USD per million tokens. ``tiers`` are (start, price), in order: a call whose whole input is above a start pays
    that price for all of its tokens."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def of(self, whole: int) -> Decimal:
        """The price for a call with so many tokens of input, cached ones included."""
        price = self.base
        for start, above in self.tiers:
            if whole > start:
                price = above
        return price


class Rates(Struct, frozen=True):
    """The prices of one model, None where there is none, which is not 0. Not told apart, a cache read or write costs
    what input does, a 1-hour write what a 5-minute one does. ``source``: who says so; ``estimated``: only a guess."""

    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None
    source: str = ""
    estimated: bool = False

    def cost(self, usage: Usage) -> Decimal | None:
        """What a call cost in USD, exact; None when some of its tokens have no price."""
        whole = usage.whole_input
        write = self.cache_write or self.input
        total = ZERO
        for rate, count in (
            (self.input, usage.input + usage.tool_prompt),
            (self.cache_read or self.input, usage.cache_read),
            (write, max(0, usage.cache_write - usage.cache_write_1h)),
            (self.cache_write_1h or write, usage.cache_write_1h),
            (self.output, max(0, usage.output - usage.reasoning)),
            (self.reasoning or self.output, usage.reasoning),
        ):
            if count:
                if rate is None:
                    return None
                total += (rate.of(whole) if rate.tiers else rate.base) * count
        return total.scaleb(_PER_MILLION)


NO_RATES: Final = Rates()


class Pricing(Protocol):
    """Whoever knows prices; the core asks, and does not care where from."""

    def priced(self, call: ModelCallFinished) -> ModelCallFinished:
        """The same call with what it costs by the table, if that knows."""

    def compare(self, model: str, reported: Decimal, computed: Decimal) -> None:
        """Take notice of a price that both the CLI and the table gave."""


class Unpriced:
    """Knows no price."""

    def priced(self, call: ModelCallFinished) -> ModelCallFinished:
        """The call as it is."""
        return call

    def compare(self, model: str, reported: Decimal, computed: Decimal) -> None:
        """Nothing to compare."""


UNPRICED: Final = Unpriced()
