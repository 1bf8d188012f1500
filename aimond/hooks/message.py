"""What a hook program says, as it may be used: validated, and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum, auto
from typing import Any, Final

from msgspec import Struct

MAX_MESSAGE: Final = 2 * 2**20  # bytes

SECOND: Final = 1_000_000
PIDS: Final = 2**22  # PID_MAX_LIMIT of linux/threads.h
TICKS: Final = 2**63
ANCESTORS: Final = 16
WORD: Final = 256


class Flaw(StrEnum):
    """Why a message was dropped."""

    STRANGER = auto()  # another user's
    TOO_LARGE = auto()
    TOO_MUCH = auto()  # all together
    TOO_SLOW = auto()
    BROKEN_OFF = auto()
    NOT_JSON = auto()
    TOO_DEEP = auto()
    NO_AGENT = auto()
    NO_PAYLOAD = auto()
    NO_EVENT = auto()
    NOT_UNDERSTOOD = auto()  # by who consumes it: not the sender's fault


class Malformed(ValueError):  # noqa: N818
    """A message that says nothing; ``flaw`` is why."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.replace("_", " "))
        self.flaw = flaw


class Context(Struct, frozen=True):
    """Where a hook ran; 0 or "" is unknown. ``ancestors``: pid and start of each, the parent first.

    A start is in clock ticks since boot, as in /proc/PID/stat, and 0 if unknown.
    """

    pid: int = 0
    ppid: int = 0
    ancestors: tuple[tuple[int, int], ...] = ()
    tty: str = ""
    tmux: str = ""
    tmux_pane: str = ""


class Delivered(Struct, frozen=True):
    """What one hook program was given. ``at``: when it began, ``seen``: when its message was here; both in µs."""

    agent: str
    via: str
    event: str
    fields: dict[str, Any]
    context: Context
    at: int
    seen: int


def delivered(message: bytes | Mapping[str, Any], seen: int, pid: int = 0) -> Delivered:
    """A message with ``agent``, ``payload`` (an object, or its text), ``via`` and ``context``. Raises Malformed.

    ``pid`` is the sender's, from one who knows. Whatever is odd in ``via`` and ``context`` counts as not said.
    """
    said = message if isinstance(message, Mapping) else _object(message, Flaw.NOT_JSON)
    agent = _word(said.get("agent"))
    if not agent:
        raise Malformed(Flaw.NO_AGENT)
    fields = _object(said.get("payload"), Flaw.NO_PAYLOAD)
    event = _word(fields.get("hook_event_name")) or _word(fields.get("type"))
    if not event:
        raise Malformed(Flaw.NO_EVENT)
    context = said.get("context")
    context = context if isinstance(context, Mapping) else {}
    at = _number(context.get("at"), seen + 1)
    via = "notify" if said.get("via") == "notify" else "hook"
    # Never later than it was: one that waited for us would outrank the end of its session, which waited less.
    at = max(at, seen - 2 * SECOND) if at else seen
    return Delivered(agent, via, event, fields, _context(context, pid), at, seen)


def _object(said: Any, flaw: Flaw) -> dict[str, Any]:
    try:
        if isinstance(said, bytes | str):
            if len(said) > MAX_MESSAGE:
                raise Malformed(Flaw.TOO_LARGE)
            said = _JSON.decode(said if isinstance(said, str) else said.decode(errors="replace"))
    except RecursionError:
        raise Malformed(Flaw.TOO_DEEP) from None
    except json.JSONDecodeError:
        raise Malformed(Flaw.NOT_JSON) from None
    if not isinstance(said, dict):
        raise Malformed(flaw)
    return said


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < 20 else None


_JSON: Final = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=lambda name: None)


def _context(said: Mapping[str, Any], pid: int) -> Context:
    claimed = _number(said.get("pid"), PIDS)
    # Who is mistaken about its own pid is in another container, where all pids are other ones.
    is_here = pid in (0, claimed) or not claimed
    tty, tmux, pane = (_word(said.get(key)) for key in ("tty", "TMUX", "TMUX_PANE"))
    return Context(
        pid=pid or claimed,
        ppid=_number(said.get("ppid"), PIDS) if is_here else 0,
        ancestors=tuple(_ancestors(said.get("ancestors"))) if is_here else (),
        tty=tty if tty.startswith("/dev/") else "",
        tmux=tmux,
        tmux_pane=pane if re.fullmatch("%[0-9]+", pane) else "",
    )


def _ancestors(said: Any) -> Iterator[tuple[int, int]]:
    for pair in said[:ANCESTORS] if isinstance(said, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2 and _number(pair[0], PIDS):
            yield pair[0], _number(pair[1], TICKS)


def _number(said: Any, limit: int) -> int:
    return said if type(said) is int and 0 < said < limit else 0


def _word(said: Any) -> str:
    return said if isinstance(said, str) and len(said) <= WORD and said.isprintable() else ""
