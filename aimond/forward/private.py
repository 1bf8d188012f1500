"""What is private, left out of requests: of all that are sent, and before that of all that are written to the spool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aimond.forward import failures, own
from aimond.forward.attributes import Attributes
from aimond.forward.requests import parsed, scopes, senders
from aimond.otlp.record import Encoding, Signal

_PRIVATE: Final = frozenset(failures.PRIVATE)
# What the class of a failure follows from; no other rule reads what is private.
_TELLING: Final = frozenset(
    word for each in failures.FAILURES for word in (*each.messages, each.having[0]) if word in _PRIVATE
)


def scrubbed(signal: Signal, encoding: Encoding, body: bytes) -> bytes:
    """The request in protobuf, fit for the disk. What follows from private words is told first. Raises Unreadable when
    it is no request."""
    request = parsed(signal, encoding, body)
    if signal != "metrics":
        for cli, items in scopes(signal, request):
            for item in items if cli else ():
                if _tells_of_failure(signal, item):
                    own.of_record(signal, cli, item)
    leave_out(signal, request)
    written: bytes = request.SerializeToString()
    return written


def _tells_of_failure(signal: Signal, item: Any) -> bool:
    if signal == "logs":
        return any(pair.key in _TELLING for pair in item.attributes)
    return item.status.code == own.STATUS_ERROR or any(
        pair.key in _TELLING for event in item.events for pair in event.attributes
    )


def leave_out(signal: Signal, request: Any) -> None:
    """Remove attributes, messages of statuses and bodies that may quote a user or name an account."""
    for sender in senders(signal, request):
        _strip(sender)
    for cli, items in scopes(signal, request):
        for item in items:
            for holder in _holders(signal, item):
                _strip(holder)
            if signal == "traces":
                item.status.message = ""  # quotes the provider; the class of the error stays
            elif signal == "logs" and item.HasField("body"):
                _name_only(item, own.event(item, Attributes(item.attributes)) if cli else "")


def _name_only(log: Any, name: str) -> None:
    """Sentences quote commands, providers and users: of a body what stays is the event's name (Claude Code 2.1.330:
    ``claude_code.api_request``; Gemini CLI 0.61.0 has sentences)."""
    said = log.body.string_value
    if not name or said.removeprefix("claude_code.") != name:
        log.ClearField("body")
        if name:
            log.body.string_value = name


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
    if any(pair.key in _PRIVATE for pair in pairs):
        Attributes(pairs).remove(_PRIVATE)
