"""``aimond status``: all sessions at a glance."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any, Final

from aimond.bus.client import Monitor
from aimond.commands import complain, paint
from aimond.commands.look import amount, budgeted, cell, money, span, table

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
    if not sessions:
        print("no sessions")
    else:
        lines = table([list(COLUMNS), *(row(session, now) for session in sessions)])
        for state, cells in zip(["", *(session["State"] for session in sessions)], lines, strict=True):
            print("  ".join([paint(cells[0], state), *cells[1:]]).rstrip())
    basis = properties["CostTodayBasis"]
    if basis not in ("none", "unknown"):
        print(f"today: {amount(properties['TokensToday'])} tokens, {money(properties['CostToday'], basis)} ({basis})")
    for budget in properties.get("Budgets", []):
        print(budgeted(budget))
    if wrong := properties.get("ConfigError"):
        print(f"the settings stay as they were: {wrong}")
    if properties["Inhibited"]:
        print("notifications are inhibited")
    return 0


def row(session: dict[str, Any], now: float) -> list[str]:
    """One session's cells."""
    since = span(now - session["StateSince"] / 1e6) if session["StateSince"] else ""
    return [since if column == "SINCE" else cell(session, column) for column in COLUMNS]
