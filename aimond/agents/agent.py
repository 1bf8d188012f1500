"""What an agent folder provides: everything aimond knows of one CLI, as pure functions and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct

from aimond.agents.payload import WORD, Payload, clean
from aimond.core.event import Event
from aimond.core.evidence import Source
from aimond.core.state import Patience
from aimond.otlp.record import Attributes, Record

PICO: Final = Decimal("1e-12")
MOST_TOKENS: Final = 10**12
SOURCES: Final = {"logs": Source.LOG, "traces": Source.SPAN, "metrics": Source.LOG}


class Agent(Struct, frozen=True):
    """One CLI. Records are its own by the start of their ``scopes`` or of their event ``names``.

    ``spans``, ``metrics``: the names it reads, all others are passed over unread; None: all. ``read``: the records it
    reads; ``ignored``: log events it knows and has no use for. Any other is counted as unknown. ``executables``:
    process names (``comm``) its sessions live in, as recordings have them. ``programs``: how a live process of it is
    known, by the name or the path of its executable or script; ``shared``: words of the command line of one that serves
    several terminals. ``pid_key``: the resource attribute that holds its pid, if any.
    ``provider``: who is paid for its models unless its records say otherwise, as genai-prices names them."""

    name: str
    title: str
    scopes: tuple[str, ...]
    names: tuple[str, ...]
    spans: frozenset[str] | None
    metrics: frozenset[str]
    read: frozenset[str]
    ignored: frozenset[str]
    executables: frozenset[str]
    patience: Patience
    events: Callable[[Record, int], Iterable[Event]]
    hook_events: Callable[[Payload], Iterable[Event]]
    pid_key: str = ""
    programs: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    provider: str = ""


def word(attributes: Attributes, key: str, limit: int = WORD) -> str:
    """A stranger's word made fit to show: printable, of bounded length."""
    text = attributes.text(key)
    return text if len(text) <= limit and text.isprintable() else clean(text, limit)


def micros(attributes: Attributes, key: str) -> int:
    """A duration in ms, as µs; 0 when it is not said, or was measured with a clock that was set back."""
    return max(0, int((attributes.real(key) or 0) * 1000))


def dollars(attributes: Attributes, key: str) -> Decimal | None:
    """Money as it was written, as exact as history keeps it; None when it was not."""
    try:
        amount = Decimal(attributes.text(key))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < 10**9:
        return None
    return amount if amount == (kept := amount.quantize(PICO)) else kept


def count(attributes: Attributes, key: str) -> int:
    """A number of tokens, 0 when it is not said; what no call can have used is not believed."""
    said = attributes.integer(key) or 0
    return said if 0 <= said <= MOST_TOKENS else 0


# Status to the classes of ``LastErrorClass``; ranges, the first that fits.
_ERROR_CLASSES: Final = (
    ((401, 401), "auth"),
    ((403, 403), "auth"),
    ((429, 429), "rate_limit"),
    ((408, 408), "timeout"),
    ((504, 504), "timeout"),
    ((400, 499), "invalid"),
    ((500, 599), "server"),
)


def error_class(status: int | None) -> str:
    """The class of a failed request by its HTTP status (529, overloaded, is the server's), "" when it had none."""
    return next((name for (low, high), name in _ERROR_CLASSES if status and low <= status <= high), "")


def error_text(status: int | None) -> str:
    """What may be told of an error: the provider's own message can name accounts and quote prompts."""
    return f"HTTP {status}" if status else "no answer"
