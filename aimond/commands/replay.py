"""``aimond replay``: recorded tapes through the same decoders, agents and tracker, with a virtual clock and no bus."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict

from aimond import tape as tapes
from aimond.commands import complain
from aimond.commands.setup_token import known_to
from aimond.config import ConfigError
from aimond.core.change import (
    AttentionNeeded,
    Change,
    ErrorSeen,
    SessionAdded,
    SessionChange,
    SessionRemoved,
    StateChanged,
    TurnCompleted,
)
from aimond.core.session import Session
from aimond.core.snapshot import SessionSnapshot
from aimond.core.turn import SECOND
from aimond.pricing import Prices
from aimond.spine import Spine

# Virtual time after the last line, so that timers fire.
AFTERWARDS: Final = 300.0
NAMES: Final[dict[type[Change], str]] = {
    SessionAdded: "session-added",
    StateChanged: "state",
    TurnCompleted: "completed",
    AttentionNeeded: "attention",
    ErrorSeen: "error",
    SessionRemoved: "session-removed",
}


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print what the tapes' changes are, one JSON object a line, or send the tapes; 2 if a file is no tape."""
    try:
        token = known_to(arguments.to) if arguments.to else ""
    except (ConfigError, ValueError) as error:
        print(f"aimond: {error}", file=sys.stderr)
        return 2
    for name in arguments.tape:
        try:
            tape = tapes.read(Path(name))
        except (OSError, ValueError) as error:
            print(f"aimond: {error}", file=sys.stderr)
            return 2
        if arguments.to:
            from aimond.sender import send

            if asyncio.run(send(tape, arguments.to, arguments.speed, token=token)):
                return 1
            continue
        for row in replay(tape, only_otlp=arguments.only == "otlp"):
            print(json.dumps(row, separators=(",", ":")))
    return 0


def replay(tape: tapes.Tape, *, only_otlp: bool = False) -> Iterator[dict[str, Any]]:
    """The tape's changes as they would have come on the bus, then all sessions that were ever visible."""
    spine = Spine(pricing=Prices())
    ended: dict[tuple[str, str], float] = {}
    moments = [*((line.t, line) for line in tape.lines), ((tape.lines[-1].t if tape.lines else 0.0) + AFTERWARDS, None)]
    for t, line in moments:
        now = tape.at(t)
        for moment, changes in _timers(spine, now):
            yield from _rows(changes, (moment - tape.epoch) / SECOND, ended)
        if line is not None:
            yield from _rows(_take(spine, tape, line, only_otlp), t, ended)
    yield {"change": "end", "sessions": [_final(spine, session, ended) for session in _shown(spine)]}


def _timers(spine: Spine, now: int) -> Iterator[tuple[int, list[Change]]]:
    while (deadline := spine.tracker.deadline()) is not None and deadline <= now:
        yield deadline, spine.tracker.tick(deadline)


def _take(spine: Spine, tape: tapes.Tape, line: tapes.Line, only_otlp: bool) -> list[Change]:
    seen, told = tape.at(line.t), line.fields
    if line.kind == "otlp":
        batch = tape.batch(line, with_peer=not only_otlp)
        return spine.take(batch) if batch else []
    if only_otlp:
        return []
    if line.kind == "process":
        tape.meet(line)
        pid = int(told.get("pid") or 0)
        if told.get("event") == "exit":
            return spine.process_exited(pid, seen)
        return spine.process_started(pid, seen, str(told.get("cwd") or ""))
    if line.kind == "hook":
        tool, event, via = (str(told.get(key) or "") for key in ("tool", "event", "via"))
        return spine.take_hook(tool or tape.tool, event, via, told.get("payload") or {}, seen)
    return []


def _rows(changes: list[Change], t: float, ended: dict[tuple[str, str], float]) -> Iterator[dict[str, Any]]:
    for change in changes:
        if not isinstance(change, SessionChange):
            continue
        session = change.session
        key = (session.agent, session.id)
        name = NAMES.get(type(change))
        if isinstance(change, SessionAdded):
            ended.pop(key, None)
        elif isinstance(change, SessionRemoved):
            ended[key] = round(t, 6)
        if name:
            yield {"t": round(t, 6), "change": name, "session_id": session.id, "agent": session.agent, **_more(change)}


def _more(change: SessionChange) -> dict[str, Any]:
    session = change.session
    match change:
        case StateChanged():
            return {
                "old": change.old.value,
                "new": session.state.value,
                "reason": session.reason,
                "evidence": session.evidence,
                "confidence": session.confidence,
            }
        case TurnCompleted():
            return {name: _plain(value) for name, value in asdict(change).items() if name != "session"}
        case AttentionNeeded() | SessionRemoved():
            return {"reason": change.reason}
        case ErrorSeen():
            return {"error_class": change.error_class}
    return {}


def _shown(spine: Spine) -> list[Session]:
    shown = [session for session in spine.tracker.sessions.remembered if session.seen and not session.hidden]
    return sorted(shown, key=lambda session: (session.started_at, session.id))


def _final(spine: Spine, session: Session, ended: dict[tuple[str, str], float]) -> dict[str, Any]:
    snapshot = session.seen
    assert snapshot is not None  # noqa: S101 - only shown sessions come here
    usage = {
        model: {
            "requests": spent.requests,
            "input_uncached": spent.usage.input,
            "cache_read": spent.usage.cache_read,
            "cache_write": spent.usage.cache_write,
            "tool_prompt": spent.usage.tool_prompt,
            "output": spent.usage.output,
            "reasoning": spent.usage.reasoning,
            "cost": _plain(spent.known_cost),
            "cost_basis": spent.basis.value,
            "table_cost": _plain(spent.table) if spent.tabled else None,
        }
        for model, spent in sorted(spine.tracker.usage(session).items())
    }
    return {**_properties(snapshot), "ended": ended.get((session.agent, session.id)), "usage": usage}


def _properties(snapshot: SessionSnapshot) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(snapshot).items()}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
