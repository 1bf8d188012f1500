"""What was used since the start, by agent and model, for those who draw curves of it."""

from __future__ import annotations

from typing import Final

from aimond.core.usage import NOTHING, Spent

MODELS: Final = 50  # of all agents together: strangers name models
OTHER: Final = "other"


class Tally:
    """Sums that begin with the process. ``spent``: by agent and model; models beyond the first 50 are ``other``."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], Spent] = {}

    def add(self, agent: str, model: str, spent: Spent) -> None:
        """Count a call, or a correction."""
        key = (agent, model)
        if key not in self.spent and len(self.spent) >= MODELS:
            key = (OTHER, OTHER) if sum(name == OTHER for _, name in self.spent) >= MODELS else (agent, OTHER)
        self.spent[key] = self.spent.get(key, NOTHING) + spent
