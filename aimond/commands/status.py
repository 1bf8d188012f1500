"""``aimond status``: all sessions at a glance."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any, Final

from aimond.bus.client import Monitor
from aimond.commands import complain, paint

# Only for sums shown to people; a script reads --json.
_UNITS: Final = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
COLUMNS: Final = ("STATE", "AGENT", "PROJECT", "SINCE", "TOKENS", "COST", "REASON", "SESSION")


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print the sessions, most urgent first; nothing but a line when there are none."""
    return asyncio.run(_status(as_json=arguments.json))


async def _status(*, as_json: bool) -> int:
    async with await Monitor.connect() as monitor:
        sessions, properties = await monitor.sessions(), await monitor.properties()
    if as_json:
        print(json.dumps({"monitor": properties, "sessions": sessions}, indent=2))
        return 0
    now = time.time()
    if sessions:
        print("\n".join(table([COLUMNS, *(row(session, now) for session in sessions)])))
    else:
        print("no sessions")
    if properties["CostTodayBasis"] not in ("none", "unknown"):
        cost, basis = properties["CostToday"], properties["CostTodayBasis"]
        print(f"today: {amount(properties['TokensToday'])} tokens, ${cost:.2f} ({basis})")
    return 0


def row(session: dict[str, Any], now: float) -> tuple[str, ...]:
    """One session's cells."""
    cost = "?" if session["CostBasis"] in ("unknown", "none") else f"${session.get('Cost', 0):.2f}"
    tokens = sum(session[f"{kind}Tokens"] for kind in ("Input", "CacheRead", "CacheWrite", "ToolPrompt", "Output"))
    since = span(now - session["StateSince"] / 1e6) if session["StateSince"] else ""
    place = session["Project"] or session["Model"]
    return session["State"], session["Agent"], place, since, amount(tokens), cost, session["Reason"], session["Id"]


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Aligned lines, the state in its colour where that can be seen."""
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
    lines = []
    for cells in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([paint(padded[0], cells[0]), *padded[1:]]).rstrip())
    return lines


def amount(number: int) -> str:
    """A count for people: 12.3k."""
    return next((f"{number / size:.1f}{unit}" for size, unit in _UNITS if number >= size), str(number))


def span(seconds: float) -> str:
    """A length of time for people: 42s, 3m, 2h."""
    whole = max(0, int(seconds))
    return f"{whole}s" if whole < 60 else f"{whole // 60}m" if whole < 3600 else f"{whole // 3600}h"
