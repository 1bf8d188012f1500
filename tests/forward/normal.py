"""Tapes as an upstream would get them, in plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from aimond.core.usage import Usage
from aimond.forward import jsonbody
from aimond.forward.attributes import Attributes
from aimond.forward.normalize import Normalizer
from aimond.forward.requests import REQUESTS
from aimond.tape import unpacked
from tests.recorded import tape

LINGER = 6.0  # seconds
Request = tuple[Any, Any]  # signal and message
_PATHS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}


def price(provider: str, model: str, usage: Usage, at: int, fast: bool) -> Decimal:
    """A price that shows what it is made of."""
    return Decimal(usage.input + 10 * usage.output + usage.cache_read + 2 * usage.cache_write) / 10**6


def received(path: Path) -> Iterator[tuple[float, Request]]:
    """The requests of a tape, with their times."""
    for line in tape(path).lines:
        batch = tape(path).batch(line) if line.kind == "otlp" else None
        if batch is None:
            continue
        message = REQUESTS[batch.signal]()
        if batch.encoding == "json":
            jsonbody.into(message, batch.parsed)
        else:
            message.ParseFromString(unpacked(line))
        yield line.t, (batch.signal, message)


def native(path: Path) -> list[Request]:
    """The requests of a tape as they were sent."""
    return [request for _, request in received(path)]


def normalized(path: Path, first: Callable[[Any, Any], Any] | None = None, **options: bool) -> list[Request]:
    """All requests of a tape after normalizing, each held as long as a courier would. ``first``: what becomes of each
    before."""
    normalizer = Normalizer(price, **{"privacy": False, **options})
    held: list[tuple[float, Any]] = []
    requests: list[Request] = []
    for t, (signal, message) in [*received(path), (float("inf"), ("metrics", REQUESTS["metrics"]()))]:
        while held and held[0][0] < t - LINGER:
            normalizer.finish(held.pop(0)[1])
        if first:
            message = first(signal, message)
        held.append((t, normalizer.read(signal, message)))
        requests.append((signal, message))
    return requests[:-1]


def records(requests: list[Request]) -> Iterator[tuple[str, str, Any, Attributes]]:
    """Signal, scope, message and attributes of each span and log record."""
    for signal, request in requests:
        if signal == "metrics":
            continue
        of_resources, of_scopes, items = _PATHS[signal]
        for of_resource in getattr(request, of_resources):
            for of_scope in getattr(of_resource, of_scopes):
                for item in getattr(of_scope, items):
                    yield signal, of_scope.scope.name, item, Attributes(item.attributes)


def name(signal: str, message: Any, attributes: Attributes) -> str:
    return message.name if signal == "traces" else attributes.text("event.name")


def added(before: list[Request], after: list[Request]) -> Iterator[dict[str, Any]]:
    """Per record, its name and the attributes that it has got, each with its value."""
    for (signal, _, message, native), (_, _, _, attributes) in zip(records(before), records(after), strict=True):
        own = {pair.key: attributes.get(pair.key) for pair in message.attributes}
        gained = {
            pair: attributes.get(pair)
            for pair in attributes
            if pair not in native or native.get(pair) != attributes.get(pair)
        }
        assert own.keys() <= set(attributes)
        yield {"record": f"{signal}/{name(signal, message, native)}", **gained}
