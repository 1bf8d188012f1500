"""Requests made alike, whichever CLI they come from: adds attributes, never removes one, unless that is asked for.

The rules are in ``rules.py`` and ``failures.py``; what one record cannot say of itself comes from ``traces.py`` and
``costs.py``, which learn from every request as it comes. A request is finished a while later: what tells of its spans
often comes after them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from aimond.forward import apply, failures
from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.costs import Costs, Price
from aimond.forward.own import STATUS_ERROR, Seen, name, tell
from aimond.forward.private import leave_out
from aimond.forward.requests import scopes
from aimond.forward.traces import Traces
from aimond.otlp.record import Signal


class Read(Struct, frozen=True):
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
        records = tell(signal, request)
        for seen in records:
            if signal == "logs":
                self._costs.learn(seen.cli, seen.message, seen.attributes)
                if seen.cli == m.CODEX:
                    self._traces.learn(seen.message.trace_id, seen.attributes)
            elif seen.cli == m.CODEX:
                self._traces.learn_span(seen.message, seen.attributes)
        return Read(signal, request, records)

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
            leave_out(read.signal, read.request)

    def _finish(self, seen: Seen, context: m.Context, at: int) -> None:
        """What follows from what is known now: the same rules again, and the price."""
        if seen.cli:
            apply.add(seen.cli, context, name(seen), seen.attributes)
            self._costs.add(seen.attributes, at // 1000)
            apply.add(seen.cli, context, name(seen), seen.attributes)


def _without_noise(request: Any) -> None:
    """Drop what is neither a turn, a call, a tool nor a failure; what is below such a span moves up."""
    for cli, spans in scopes("traces", request):
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
