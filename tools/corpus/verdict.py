"""What one replay was worth: counts, the problems in words, and notes on what is odd but right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Tally:
    """Counts, of one tape or of many. ``worst_delay`` is in seconds after the true end of a turn."""

    sessions: int = 0
    found: int = 0
    ghosts: int = 0
    turns: int = 0
    on_time: int = 0
    quiet: int = 0
    news_late: int = 0
    late: int = 0
    early: int = 0
    missed: int = 0
    duplicated: int = 0
    unsure: int = 0
    worst_delay: float = 0.0
    failed: int = 0
    failed_shown: int = 0
    failed_missed: int = 0
    false_failures: int = 0
    cut: int = 0
    cut_completed: int = 0
    false_cuts: int = 0
    false_calls: int = 0
    waits: int = 0
    waits_shown: int = 0
    waits_wrong: int = 0
    unfounded_waits: int = 0
    token_error: int = 0
    request_error: int = 0
    parents_wrong: int = 0
    not_ended: int = 0
    faults: int = 0


@dataclass(slots=True)
class Verdict:
    """What the replay of one tape was worth; wrong when it has a problem."""

    tape: str
    tally: Tally = field(default_factory=Tally)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wrong(self, count: str, problem: str, by: int = 1) -> None:
        """Counts a problem under the tally's ``count`` and keeps its words."""
        setattr(self.tally, count, getattr(self.tally, count) + by)
        self.problems.append(problem)


def total(tallies: Iterable[Tally]) -> Tally:
    """The tallies as one: sums, and the worst of the delays."""
    whole = Tally()
    for tally in tallies:
        for each in fields(Tally):
            one, other = getattr(whole, each.name), getattr(tally, each.name)
            setattr(whole, each.name, max(one, other) if each.name == "worst_delay" else one + other)
    return whole
