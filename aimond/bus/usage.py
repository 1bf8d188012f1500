"""Rows of ``Usage``, as D-Bus has them."""

from __future__ import annotations

from typing import Any, Final

from dbus_fast import Variant

from aimond.bus.values import variant
from aimond.core.rows import UsageRow

_TOKENS: Final = (
    ("InputTokens", "input"),
    ("CacheReadTokens", "cache_read"),
    ("CacheWriteTokens", "cache_write"),
    ("ToolPromptTokens", "tool_prompt"),
    ("OutputTokens", "output"),
    ("ReasoningTokens", "reasoning"),
)


def entry(row: UsageRow) -> dict[str, Variant]:
    """One row; what is not known is left out."""
    spent = row.spent
    values: list[tuple[str, str, Any]] = [
        ("Group", "s", row.key),
        ("Agent", "s", row.agent or None),
        ("Project", "s", row.project or None),
        ("Calls", "u", spent.requests),
        *((name, "t", getattr(spent.usage, field)) for name, field in _TOKENS),
        ("Cost", "d", spent.known_cost),
        ("CostBasis", "s", spent.basis.value),
        ("ComputedCost", "d", spent.table if spent.tabled else None),
        ("EstimatedCalls", "u", spent.estimated or None),
        ("UnpricedCalls", "u", max(0, spent.requests - spent.reported - spent.computed) or None),
    ]
    return {name: variant(kind, value) for name, kind, value in values if value is not None}
