"""How long turns take and how long users are waited for, as histograms, each with a session as an example; what failed,
and why sessions are not shown any more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, Exemplar, HistogramMetricFamily, Metric

from aimond.core.change import Change, ErrorSeen, SessionRemoved, StateChanged, TurnCompleted
from aimond.core.snapshot import State

SECOND: Final = 1_000_000
BOUNDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
AGENTS: Final = 20  # strangers name agents
OTHER: Final = "other"
MOST_FAILURES: Final = 100


class _Times:
    """One histogram, by agent; times in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0
        self.examples: list[Exemplar | None] = [None] * (len(BOUNDS) + 1)

    def add(self, seconds: float, session: str) -> None:
        place = bisect_left(BOUNDS, seconds)
        self.counts[place] += 1
        self.sum += seconds
        self.examples[place] = Exemplar({"session_id": session[:64]}, seconds)

    def buckets(self) -> list[tuple[str, float, Exemplar | None]]:
        total, rows = 0, []
        for bound, count, example in zip((*map(str, BOUNDS), "+Inf"), self.counts, self.examples, strict=True):
            total += count
            rows.append((bound, float(total), example))
        return rows


class Meter:
    """An output of the daemon (``core.output``) that only counts."""

    def __init__(self) -> None:
        self._turns: dict[str, _Times] = {}
        self._waits: dict[str, _Times] = {}
        self._waiting: dict[tuple[str, str], int] = {}
        self._removed: dict[str, int] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def publish(self, changes: Sequence[Change]) -> None:
        """Measure turns that were completed and waits that are over."""
        for change in changes:
            if measure := _MEASURE.get(type(change)):
                measure(self, change)

    def _turn(self, change: TurnCompleted) -> None:
        _of(self._turns, change.session.agent).add(change.duration / SECOND, change.session.id)

    def _failed(self, change: ErrorSeen) -> None:
        agent = change.session.agent
        key = (agent if len(self._failures) < MOST_FAILURES else OTHER, change.error_class)
        self._failures[key] = self._failures.get(key, 0) + 1

    def _gone(self, change: SessionRemoved) -> None:
        self._waiting.pop((change.session.agent, change.session.id), None)
        self._removed[change.reason] = self._removed.get(change.reason, 0) + 1

    def _wait(self, change: StateChanged) -> None:
        session = change.session
        key = (session.agent, session.id)
        if session.state is State.WAITING:
            self._waiting[key] = session.state_since
        elif change.old is State.WAITING and (since := self._waiting.pop(key, 0)):
            _of(self._waits, session.agent).add(max(0, session.state_since - since) / SECOND, session.id)

    async def run(self) -> None:
        """There is nothing to do."""

    def metrics(self) -> list[Metric]:
        """Both histograms, and how sessions and calls went."""
        removed = CounterMetricFamily("aimond_sessions_removed", "Sessions not shown any more.", labels=["reason"])
        for reason, count in self._removed.items():
            removed.add_metric([reason], count)
        failures = CounterMetricFamily("aimond_failures", "Model calls that failed.", labels=["agent", "error_type"])
        for whose, count in self._failures.items():
            failures.add_metric(whose, count)
        return [
            removed,
            failures,
            _family("aimond_turn_duration_seconds", "Turns that were completed.", self._turns),
            _family("aimond_waiting_seconds", "Waits for the user that are over.", self._waits),
        ]


_MEASURE: Final[dict[type[Change], Callable[[Meter, Any], None]]] = {
    TurnCompleted: Meter._turn,
    ErrorSeen: Meter._failed,
    SessionRemoved: Meter._gone,
    StateChanged: Meter._wait,
}


def _of(times: dict[str, _Times], agent: str) -> _Times:
    return times.setdefault(agent if agent in times or len(times) < AGENTS else OTHER, _Times())


def _family(name: str, what: str, times: dict[str, _Times]) -> Metric:
    family = HistogramMetricFamily(name, what, labels=["agent"])
    for agent, each in times.items():
        rows = [(bound, count, example) if example else (bound, count) for bound, count, example in each.buckets()]
        family.add_metric([agent], rows, each.sum)
    return family
