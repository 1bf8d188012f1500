"""Sums by agent and model stay few, whatever strangers call their models."""

from __future__ import annotations

from decimal import Decimal

from aimond.core.tally import MODELS, Tally
from aimond.core.usage import Spent, Usage

ONE = Spent(1, Usage(input=10), Decimal(1))


def test_each_model_has_its_sum() -> None:
    tally = Tally()
    for model in ("a", "b", "a"):
        tally.add("codex", model, ONE)
    assert {model: spent.requests for (_, model), spent in tally.spent.items()} == {"a": 2, "b": 1}


def test_models_and_agents_without_end_become_one() -> None:
    tally = Tally()
    for n in range(10 * MODELS):
        tally.add(f"agent {n // 3}", f"model {n}", ONE)
    assert len(tally.spent) <= 2 * MODELS + 1
    assert sum(spent.requests for spent in tally.spent.values()) == 10 * MODELS
