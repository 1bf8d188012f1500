"""What hook programs are given, and how it is read: validated, then told; a stranger's words are made fit to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from pydantic import BaseModel

from aimond.core.event import Event
from aimond.core.evidence import Source

WORD: Final = 256


class Payload(Struct, frozen=True):
    """What one hook program was given. ``at``: its arrival, µs; ``via``: ``hook`` or ``notify``; ``pid``: the CLI's."""

    event: str
    via: str
    fields: Mapping[str, Any]
    at: int
    pid: int = 0


def clean(text: str, limit: int = WORD) -> str:
    """Text without control characters, cut at ``limit``."""
    text = text[:limit]
    return text if text.isprintable() else "".join(char for char in text if char.isprintable())


def hooks(
    agent: str, model: type[BaseModel], readers: Mapping[str, Callable[[Any, dict[str, Any]], Iterable[Event]]]
) -> Callable[[Payload], Iterator[Event]]:
    """A function that reads hook payloads: ``model`` validates, and drops all text; the event's reader tells.

    A payload that is not one of this agent's says nothing.
    """

    def hook_events(payload: Payload) -> Iterator[Event]:
        read = readers.get(payload.event)
        if read is None:
            return
        try:
            told = dict(payload.fields)
            hook = model.model_validate({name: value for name, value in told.items() if value is not None})
        except (ValueError, TypeError, RecursionError):
            return
        named = clean(getattr(hook, "session_id", ""))
        session = clean(getattr(hook, "session", named))
        if named and session:
            yield from read(hook, _common(agent, session, payload))

    return hook_events


def _common(agent: str, session: str, payload: Payload) -> dict[str, Any]:
    return {
        "agent": agent,
        "session": session,
        "at": payload.at,
        "source": Source.HOOK,
        "record": payload.event,
        "pid": payload.pid,
    }
