"""One line of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

HEAD: Final = f"{'':44}{'floor':>10}{'aimond':>10}{'ratio':>8}{'spread':>14}{'at most':>9}"


@dataclass(frozen=True, slots=True)
class Figure:
    """What aimond took and what the floor took, in ``unit``; ``ratios`` are those of the parts of the same run."""

    name: str
    unit: str
    floor: float
    aimond: float
    ratio: float
    ratios: Sequence[float]
    bar: float

    @property
    def holds(self) -> bool:
        """Whether the ratio is at most the bar."""
        return self.ratio <= self.bar

    def __str__(self) -> str:
        spread = f"{min(self.ratios):.2f}–{max(self.ratios):.2f}"
        mark = "" if self.holds else "  TOO MUCH"
        return (
            f"{self.name + ', ' + self.unit:44}{self.floor:10.2f}{self.aimond:10.2f}{self.ratio:8.2f}{spread:>14}{self.bar:9.1f}{mark}"
        )


def of_pairs(name: str, unit: str, pairs: Sequence[tuple[float, float]], bar: float) -> Figure:
    """The medians of pairs of (floor, aimond) that were measured right after each other."""
    ratios = [aimond / floor for floor, aimond in pairs]
    return Figure(
        name, unit, median(floor for floor, _ in pairs), median(aimond for _, aimond in pairs), median(ratios), ratios, bar
    )
