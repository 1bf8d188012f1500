"""Our own metrics, for Prometheus. They are read off when somebody asks; counting costs nothing in between."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Final, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from aimond.core.forwarding import OFF, Forwarding
from aimond.core.tally import Tally
from aimond.meter import Meter
from aimond.spine import Spine

KINDS: Final = ("input", "cache_read", "cache_write", "tool_prompt", "output")


class Connections(Protocol):
    """Those that are open, and how many were one too many."""

    @property
    def open(self) -> Sized: ...
    @property
    def turned_away(self) -> int: ...


class Forwarded(Protocol):
    """What the forwarder counts: requests, and resources that came back to it (``cut``)."""

    cut: int
    unwritten: int

    def told(self, count: str) -> int: ...
    @property
    def health(self) -> Forwarding: ...


class Counters:
    """What the daemon counts besides its sessions."""

    def __init__(self) -> None:
        self.http: Connections | None = None
        self.requests: dict[tuple[str, str], int] = {}
        self.refused_full = 0
        self.not_understood = 0
        self.hooks: dict[str, int] = {}
        self.meter: Final = Meter()
        self.forwarding: Forwarded | None = None


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
        forgotten = self._spine.tracker.sessions.dropped
        yield CounterMetricFamily("aimond_sessions_forgotten", "Sessions that made room for others.", forgotten)
        yield from _used(self._spine.tracker.accounts.tally)
        yield from self._counters.meter.metrics()
        if self._counters.forwarding and self._counters.forwarding.health != OFF:
            yield from _forwarding(self._counters.forwarding)
        yield GaugeMetricFamily("aimond_queue_length", "Requests waiting to be understood.", len(self._queue))


def _used(tally: Tally) -> Iterator[Metric]:
    """Tokens by type, each counted once: ``input`` is what was not cached, ``output`` includes ``reasoning``."""
    labels = ["agent", "model", "project"]
    calls = CounterMetricFamily("aimond_model_calls", "Model calls that were answered.", labels=labels)
    unpriced = CounterMetricFamily("aimond_model_calls_unpriced", "Those whose price is not known.", labels=labels)
    cost = CounterMetricFamily("aimond_cost_usd", "What they cost, as far as prices are known.", labels=labels)
    tokens = CounterMetricFamily("aimond_tokens", "Tokens used.", labels=[*labels, "type"])
    for whose, spent in tally.rising().items():
        calls.add_metric(whose, spent.requests)
        unpriced.add_metric(whose, max(0, spent.requests - spent.reported - spent.computed))
        cost.add_metric(whose, float(spent.cost))
        for kind in KINDS:
            tokens.add_metric([*whose, kind], getattr(spent.usage, kind))
    yield from (calls, unpriced, cost, tokens)


def _forwarding(forwarded: Forwarded) -> Iterator[Metric]:
    yield CounterMetricFamily("aimond_forward_sent", "Requests that the upstream took.", forwarded.told("sent"))
    dropped = CounterMetricFamily("aimond_forward_dropped", "Requests that never will be sent.", labels=["reason"])
    counts = {"spool": forwarded.told("lost"), "disk": forwarded.unwritten, "refused": forwarded.told("refused")}
    for reason, count in counts.items():
        dropped.add_metric([reason], count)
    yield dropped
    yield CounterMetricFamily(
        "aimond_forward_rejected",
        "Records of requests taken that the upstream did not take.",
        forwarded.told("rejected"),
    )
    yield CounterMetricFamily("aimond_forward_loops", "Resources that came back and were left out.", forwarded.cut)
    yield GaugeMetricFamily("aimond_forward_spool_bytes", "Bytes in the spool.", forwarded.health.spooled)


class Exposition:
    """The text that ``GET /metrics`` answers with."""

    def __init__(self, spine: Spine, counters: Counters, queue: Sized) -> None:
        self._registry: Final = CollectorRegistry()
        self._registry.register(_Collector(spine, counters, queue))

    def __call__(self, accept: str = "") -> tuple[bytes, str]:
        """The text and its type: OpenMetrics, which alone has exemplars, for who asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
