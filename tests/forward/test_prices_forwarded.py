"""What a forwarded call costs is what the monitor counts for it, by the same table."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from aimond.core.event import ModelCallFinished
from aimond.core.usage import Usage
from aimond.forward import mapping as m
from aimond.forward.normalize import Normalizer
from aimond.pricing import Prices
from tests.forward import normal
from tests.recorded import PATHS, heard, name

PRICES = Prices()


def price(provider: str, model: str, usage: Usage, at: int, fast: bool) -> Decimal | None:
    return PRICES.price(provider, model, usage, at, fast=fast).cost


def rounded(cost: float | Decimal | None) -> float | None:
    """To a billionth of a dollar: 2.0.76 writes 0.0069359999999999995."""
    return None if cost is None else round(float(cost), 9)


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_a_call_costs_what_the_monitor_counts(path: Path) -> None:
    counted: Counter[tuple[str, str, float | None]] = Counter()
    for _, event in heard(path):
        if isinstance(event, ModelCallFinished) and event.usage:
            call = PRICES.priced(event)
            cost = call.cost if call.cost is not None else call.computed
            counted[call.session, call.model, rounded(cost)] += 1
    requests = normal.native(path)
    normalizer = Normalizer(price, privacy=False)
    for each in [normalizer.read(*request) for request in requests]:
        normalizer.finish(each)
    forwarded: Counter[tuple[str, str, float | None]] = Counter()
    spans: Counter[tuple[str, str, float | None]] = Counter()
    for signal, _, _, attributes in normal.records(requests):
        if attributes.get(m.KIND) == "LLM" and m.ERROR not in attributes:
            cost = attributes.number(m.COST)
            key = (attributes.text(m.SESSION), attributes.text(m.MODEL), rounded(cost))
            (forwarded if signal == "logs" else spans)[key] += 1
    assert forwarded == counted
    if "2.0.76" not in name(path) and forwarded:  # whose spans cannot be told whose price they have
        assert spans - forwarded == Counter()
