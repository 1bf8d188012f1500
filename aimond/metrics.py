"""Our own metrics, for Prometheus. They are read off when somebody asks; counting costs nothing in between."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Final, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aimond.spine import Spine


class Connections(Protocol):
    """Those that are open, and how many were one too many."""

    @property
    def open(self) -> Sized: ...
    @property
    def turned_away(self) -> int: ...


class Counters:
    """What the daemon counts besides its sessions."""

    def __init__(self) -> None:
        self.http: Connections | None = None
        self.requests: dict[tuple[str, str], int] = {}
        self.refused_full = 0
        self.not_understood = 0
        self.hooks: dict[str, int] = {}


class _Collector(Collector):
    def __init__(self, spine: Spine, counters: Counters, queue: Sized) -> None:
        self._spine, self._counters, self._queue = spine, counters, queue

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("aimond_requests", "Export requests accepted.", labels=["transport", "signal"])
        for (transport, signal), count in self._counters.requests.items():
            requests.add_metric([transport, signal], count)
        yield requests
        yield CounterMetricFamily(
            "aimond_requests_refused",
            "Export requests refused because the queue was full.",
            self._counters.refused_full,
        )
        yield CounterMetricFamily(
            "aimond_requests_not_understood", "Export requests that raised an error.", self._counters.not_understood
        )
        if http := self._counters.http:
            yield GaugeMetricFamily("aimond_connections", "Open HTTP connections.", len(http.open))
            yield CounterMetricFamily(
                "aimond_connections_refused", "HTTP connections that were one too many.", http.turned_away
            )
        hooks = CounterMetricFamily(
            "aimond_hooks", "Messages of hook programs, by what became of them.", labels=["outcome"]
        )
        for outcome, count in self._counters.hooks.items():
            hooks.add_metric([outcome], count)
        yield hooks
        records = CounterMetricFamily("aimond_records", "Log records and spans read.", labels=["agent"])
        unknown = CounterMetricFamily("aimond_unknown_events", "Log events of an unknown name.", labels=["agent"])
        for agent, heard in self._spine.heard.items():
            records.add_metric([agent], heard.records)
            unknown.add_metric([agent], heard.unknown)
        yield records
        yield unknown
        sessions = GaugeMetricFamily("aimond_sessions", "Visible sessions.", labels=["agent", "state"])
        counted: dict[tuple[str, str], int] = {}
        for session in self._spine.tracker.snapshots():
            key = (session.agent, session.state.value)
            counted[key] = counted.get(key, 0) + 1
        for labels, count in counted.items():
            sessions.add_metric(labels, count)
        yield sessions
        yield GaugeMetricFamily("aimond_queue_length", "Requests waiting to be understood.", len(self._queue))


class Exposition:
    """The text that ``GET /metrics`` answers with."""

    def __init__(self, spine: Spine, counters: Counters, queue: Sized) -> None:
        self._registry: Final = CollectorRegistry()
        self._registry.register(_Collector(spine, counters, queue))

    def __call__(self) -> tuple[bytes, str]:
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
