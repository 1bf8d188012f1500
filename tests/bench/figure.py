"""One line of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

HEAD: Final = f"{'':40}{'floor':>9}{'aimond':>9}    {'ratio':>6}{'spread':>13}{'at most':>9}"

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """What the floor took and what aimond took, in ``unit``. ``ratios`` are those of the parts of the same run."""

    name: str
    unit: str
    floor: float
    aimond: float
    ratio: float
    ratios: Sequence[float]
    bar: float

    @classmethod
    def of_pairs(cls, name: str, unit: str, pairs: Pairs, bar: float) -> Self:
        """The median of pairs of floor and aimond, each measured right after the other."""
        ratios = [aimond / floor for floor, aimond in pairs]
        floor, aimond = map(median, zip(*pairs, strict=True))
        return cls(name, unit, floor, aimond, median(ratios), ratios, bar)

    @classmethod
    def of_samples(
        cls, name: str, unit: str, parts: Sequence[Pairs], of: Callable[[Sequence[float]], float], bar: float
    ) -> Self:
        """A percentile (``of``) of all samples; floor and aimond took turns within each part."""
        floor, aimond = (of(side) for side in zip(*(pair for part in parts for pair in part), strict=True))
        of_parts = ([of(side) for side in zip(*part, strict=True)] for part in parts)
        return cls(name, unit, floor, aimond, aimond / floor, [aimond / floor for floor, aimond in of_parts], bar)

    @property
    def holds(self) -> bool:
        """Whether the ratio is at most the bar."""
        return self.ratio <= self.bar

    def __str__(self) -> str:
        spread = f"{min(self.ratios):.2f}–{max(self.ratios):.2f}"
        numbers = f"{self.floor:9.2f}{self.aimond:9.2f} {self.unit} {self.ratio:6.2f}{spread:>13}{self.bar:9.1f}"
        return f"{self.name:40}{numbers}{'' if self.holds else '  too much'}"
