"""Requests made alike, whichever CLI they come from: adds attributes, never removes one, unless that is asked for.

The rules are in ``rules.py`` and ``failures.py``; what one record cannot say of itself comes from ``traces.py`` and
``costs.py``, which learn from every request as it comes. A request is finished a while later: what tells of its spans
often comes after them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aimond.core.value import value
from aimond.forward import apply, failures
from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.costs import Costs, Price
from aimond.forward.traces import Traces
from aimond.otlp.record import Signal

STATUS_ERROR: Final = 2  # opentelemetry.proto.trace.v1.Status.STATUS_CODE_ERROR
_PATHS: Final = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


@value
class Seen:
    """A span or log record with its attributes, and whose it is."""

    cli: str
    message: Any
    attributes: Attributes


@value
class Read:
    """A request that was learnt from, and its records."""

    signal: Signal
    request: Any
    records: tuple[Seen, ...] = ()


class Normalizer:
    """Remembers what later requests need. ``privacy``: without prompts, answers, tools' input and output, and accounts;
    ``drop_noise``: without the internal spans of Codex."""

    def __init__(self, price: Price, *, privacy: bool = True, drop_noise: bool = False) -> None:
        self._traces, self._costs = Traces(), Costs(price)
        self._privacy, self._drop_noise = privacy, drop_noise

    def read(self, signal: Signal, request: Any) -> Read:
        """Add what the records say of themselves, and learn what they say of others."""
        if signal == "metrics":
            _points(request)
            return Read(signal, request)
        if signal == "logs":
            logs = tuple(_logs(request))
            for log in logs:
                self._costs.learn(log.cli, log.message, log.attributes)
                if log.cli == m.CODEX:
                    self._traces.learn(log.message.trace_id, log.attributes)
            return Read(signal, request, logs)
        spans = tuple(_spans(request))
        for span in spans:
            if span.cli == m.CODEX:
                self._traces.learn_span(span.message, span.attributes)
        return Read(signal, request, spans)

    def finish(self, read: Read) -> None:
        """Add what others say of its records, as far as they have come, and leave out what is not wanted. Once each."""
        for seen in read.records:
            if read.signal == "logs":
                self._finish(seen, "log", seen.message.time_unix_nano or seen.message.observed_time_unix_nano)
                continue
            if seen.cli == m.CODEX:
                self._traces.place(seen.message, seen.attributes)
            self._costs.complete(seen.cli, seen.message, seen.attributes)
            self._finish(seen, "span", seen.message.end_time_unix_nano)
        if read.signal == "traces" and self._drop_noise:
            _without_noise(read.request)
        if self._privacy:
            _without_private(read.signal, read.request)

    def _finish(self, seen: Seen, context: m.Context, at: int) -> None:
        """What follows from what is known now: the same rules again, and the price."""
        if seen.cli:
            apply.add(seen.cli, context, _name(seen), seen.attributes)
            self._costs.add(seen.attributes, at // 1000)
            apply.add(seen.cli, context, _name(seen), seen.attributes)


def _name(seen: Seen) -> str:
    return seen.message.name if hasattr(seen.message, "name") else _event(seen.message, seen.attributes)


def _event(log: Any, attributes: Attributes) -> str:
    return attributes.text("event.name") or log.event_name


def _scopes(signal: Signal, request: Any) -> Iterator[tuple[str, Any]]:
    """Whose it is, and each list of records."""
    of_resources, of_scopes, items = _PATHS[signal]
    for of_resource in getattr(request, of_resources):
        for of_scope in getattr(of_resource, of_scopes):
            yield apply.cli_of(of_scope.scope.name), getattr(of_scope, items)


def _logs(request: Any) -> Iterator[Seen]:
    for cli, records in _scopes("logs", request):
        for log in records if cli else ():
            attributes = Attributes(log.attributes)
            name = _event(log, attributes)
            apply.add(cli, "log", name, attributes)
            apply.classify(cli, "log", name, attributes)
            yield Seen(cli, log, attributes)


def _spans(request: Any) -> Iterator[Seen]:
    for cli, spans in _scopes("traces", request):
        for span in spans if cli else ():
            attributes = Attributes(span.attributes)
            for event in span.events:
                said = Attributes(event.attributes)
                apply.add(cli, "spanevent", event.name, attributes, said)
                apply.classify(cli, "spanevent", event.name, attributes, said=said)
            apply.add(cli, "span", span.name, attributes)
            status = span.status.message if span.status.code == STATUS_ERROR else None
            apply.classify(cli, "span", span.name, attributes, status)
            yield Seen(cli, span, attributes)


def _points(request: Any) -> None:
    for cli, metrics in _scopes("metrics", request):
        for metric in metrics if cli else ():
            for point in getattr(metric, metric.WhichOneof("data") or "gauge").data_points:
                apply.add(cli, "datapoint", metric.name, Attributes(point.attributes))


def _without_noise(request: Any) -> None:
    """Drop what is neither a turn, a call, a tool nor a failure; what is below such a span moves up."""
    for cli, spans in _scopes("traces", request):
        if cli != failures.NOISY:
            continue
        noise = {span.span_id: span.parent_span_id for span in spans if _is_noise(span)}
        kept = [span for span in spans if span.span_id not in noise]
        for span in kept:
            for _ in range(len(noise)):
                if span.parent_span_id not in noise:
                    break
                span.parent_span_id = noise[span.parent_span_id]
        del spans[:]
        spans.extend(kept)


def _is_noise(span: Any) -> bool:
    attributes = Attributes(span.attributes)
    failed = span.status.code == STATUS_ERROR or m.ERROR in attributes
    return attributes.get(m.KIND) == failures.NOISE and not failed


def _without_private(signal: Signal, request: Any) -> None:
    of_resources = _PATHS[signal][0]
    for of_resource in getattr(request, of_resources):
        _strip(of_resource.resource)
    for cli, items in _scopes(signal, request):
        for item in items:
            for holder in _holders(signal, item):
                _strip(holder)
            if signal == "traces":
                item.status.message = ""  # quotes the provider; the class of the error stays
            elif signal == "logs" and (not cli or any(pair.key == m.ERROR for pair in item.attributes)):
                item.ClearField("body")


def _holders(signal: Signal, item: Any) -> Iterator[Any]:
    """Everything of a record that has attributes."""
    if signal == "metrics":
        for point in getattr(item, item.WhichOneof("data") or "gauge").data_points:
            yield point
            yield from getattr(point, "exemplars", ())
        return
    yield item
    if signal == "traces":
        yield from item.events
        yield from item.links


def _strip(holder: Any) -> None:
    # An exemplar calls them otherwise.
    pairs = holder.filtered_attributes if hasattr(holder, "filtered_attributes") else holder.attributes
    Attributes(pairs).remove(failures.PRIVATE)
