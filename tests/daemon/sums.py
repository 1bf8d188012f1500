"""What tapes come to: as they were or as of today, added up in memory, to compare what a monitor says of them."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aimond.commands.replay import _take as take
from aimond.core.usage import Spent
from aimond.pricing import Prices
from aimond.sender import _request as request
from aimond.spine import Spine
from aimond.tape import Line, Tape, read

TAPES = sorted((Path(__file__).parents[1] / "tapes").rglob("*.tape.jsonl.gz"))
GROUPS = ("agent", "model", "project", "day", "session")
# Of a row of Usage, what a usage has under another name.
COUNTS = {
    "InputTokens": "input",
    "CacheReadTokens": "cache_read",
    "CacheWriteTokens": "cache_write",
    "ToolPromptTokens": "tool_prompt",
    "OutputTokens": "output",
    "ReasoningTokens": "reasoning",
}
Row = dict[str, Any]


def noon() -> timezone:
    """A time zone in which it is about noon: no midnight comes while a test runs."""
    return timezone(timedelta(hours=12 - datetime.now(UTC).hour))


def posix(zone: timezone) -> str:
    """It as ``TZ`` has it."""
    return f"AIM{-round(zone.utcoffset(None) / timedelta(hours=1)):+d}"


def midnight(zone: timezone) -> datetime:
    """When today began there."""
    return datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def moved(tape: Tape, begin: int) -> Tape:
    """The tape as if it had been recorded from then on (µs since the epoch). Not for Codex CLI: the ids of its turns
    say when they began."""
    lines = []
    for line in tape.lines:
        if line.kind == "otlp":
            body, headers = request(line, begin - tape.epoch)
            again = {"body": base64.b64encode(body).decode(), "content_encoding": "", "transport": "http"}
            line = Line(line.kind, line.t, {**line.fields, **again, "content_type": headers["Content-Type"]})
        lines.append(line)
    return Tape(tape.tool, begin, lines)


def of_today(paths: Iterable[Path] = TAPES) -> list[Tape]:
    """Those tapes, all but Codex CLI's as if they began ten minutes ago."""
    begin = (int(time.time()) - 600) * 1_000_000
    return [read(path) if "codex" in path.parts else moved(read(path), begin) for path in paths]


def truth(tapes: Iterable[Tape]) -> Spine:
    """Of those tapes, each played once, from its first request to its last, when no more is waited for."""
    spine = Spine(pricing=Prices({}))
    for tape in tapes:
        for line in tape.lines:
            take(spine, tape, line, True)
    spine.tracker.tick(2**62)
    return spine


def by_name(spine: Spine, group: str) -> dict[str, Spent]:
    """What the rows of ``Usage`` should say, by ``Group``: of ``agent``, ``model`` and ``session``."""
    sums: dict[str, Spent] = {}
    tracker = spine.tracker
    for session in tracker.sessions.remembered:
        for model, spent in session.models.items():
            of = {"agent": session.agent, "model": model, "session": tracker.serves(session) or session.id}[group]
            sums[of] = sums.get(of, Spent()) + spent
    return {of: spent for of, spent in sums.items() if spent.requests or spent.usage or spent.cost}


def told(spent: Spent) -> Row:
    """As a row of ``Usage`` says it; the cost to 1e-9 USD."""
    counts = {name: getattr(spent.usage, field) for name, field in COUNTS.items()}
    return {"Calls": spent.requests, **counts, "Cost": round(float(spent.cost), 9), "CostBasis": str(spent.basis)}


def said(row: Row) -> Row:
    """The same of a row that was asked for."""
    return {name: round(row.get("Cost", 0.0), 9) if name == "Cost" else row[name] for name in told(Spent())}
