"""What records say of themselves, in the words of all; whichever CLI they come from. The rules are in ``rules.py`` and
``failures.py``."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from aimond.forward import apply
from aimond.forward.attributes import Attributes
from aimond.forward.requests import scopes
from aimond.otlp.record import Signal

STATUS_ERROR: Final = 2  # opentelemetry.proto.trace.v1.Status.STATUS_CODE_ERROR


class Seen(Struct, frozen=True):
    """A span or log record with its attributes, and whose it is."""

    cli: str
    message: Any
    attributes: Attributes


def tell(signal: Signal, request: Any) -> tuple[Seen, ...]:
    """Add what the records say of themselves; twice is once. The spans or log records of known CLIs."""
    if signal == "metrics":
        _points(request)
        return ()
    return tuple(of_record(signal, cli, item) for cli, items in scopes(signal, request) if cli for item in items)


def of_record(signal: Signal, cli: str, item: Any) -> Seen:
    """Add what that span or log record says of itself."""
    return (_log if signal == "logs" else _span)(cli, item)


def name(seen: Seen) -> str:
    """Of the span, or of a log record's event."""
    return seen.message.name if hasattr(seen.message, "name") else event(seen.message, seen.attributes)


def event(log: Any, attributes: Attributes) -> str:
    """The name of a log record's event, "" if it has none."""
    return attributes.text("event.name") or log.event_name


def _log(cli: str, log: Any) -> Seen:
    attributes = Attributes(log.attributes)
    named = event(log, attributes)
    apply.add(cli, "log", named, attributes)
    apply.classify(cli, "log", named, attributes)
    return Seen(cli, log, attributes)


def _span(cli: str, span: Any) -> Seen:
    attributes = Attributes(span.attributes)
    for each in span.events:
        said = Attributes(each.attributes)
        apply.add(cli, "spanevent", each.name, attributes, said)
        apply.classify(cli, "spanevent", each.name, attributes, said=said)
    apply.add(cli, "span", span.name, attributes)
    status = span.status.message if span.status.code == STATUS_ERROR else None
    apply.classify(cli, "span", span.name, attributes, status)
    return Seen(cli, span, attributes)


def _points(request: Any) -> None:
    for cli, metrics in scopes("metrics", request):
        for metric in metrics if cli else ():
            for point in getattr(metric, metric.WhichOneof("data") or "gauge").data_points:
                apply.add(cli, "datapoint", metric.name, Attributes(point.attributes))
