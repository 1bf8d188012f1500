"""What was used since the start, by agent, model and project, for those who draw curves of it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import astuple, replace

from aimond.core.usage import NOTHING, Spent, Usage

MOST: Final = 250  # of all agents together: strangers name models and directories
OTHER: Final = "other"

Whose = tuple[str, str, str]  # agent, model, project


class Tally:
    """Sums that begin with the process. ``spent``: by agent, model and project; what is beyond the first 250 is
    ``other``."""

    def __init__(self) -> None:
        self.spent: dict[Whose, Spent] = {}
        self._shown: dict[Whose, Spent] = {}

    def add(self, agent: str, model: str, project: str, spent: Spent) -> None:
        """Count a call, or a correction."""
        key = (agent, model, project)
        if key not in self.spent and len(self.spent) >= MOST:
            key = (OTHER, OTHER, OTHER)
        self.spent[key] = self.spent.get(key, NOTHING) + spent

    def rising(self) -> dict[Whose, Spent]:
        """The sums for counters, which never fall: after a correction downwards the old sum stands until it is reached
        again. Each is nothing when first asked for, as what begins with something is not seen to rise (by Prometheus'
        ``increase``)."""
        for whose, spent in self.spent.items():
            shown = self._shown.get(whose)
            self._shown[whose] = NOTHING if shown is None else _higher(spent, shown)
        return dict(self._shown)


def _higher(spent: Spent, shown: Spent) -> Spent:
    usage = Usage(*map(max, astuple(spent.usage), astuple(shown.usage)))
    requests, cost = max(spent.requests, shown.requests), max(spent.cost, shown.cost)
    return replace(spent, requests=requests, usage=usage, cost=cost)
