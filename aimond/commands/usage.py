"""``aimond usage``: tokens and money, by day, agent, model, project or session."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import shutil
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from aimond.bus.client import Monitor
from aimond.commands import complain
from aimond.commands.look import amount, cells, fit, pad
from aimond.core.period import parse

# A row's keys on the bus, and their names in JSON and CSV.
COLUMNS: Final = {
    "Group": "group",
    "Calls": "calls",
    "InputTokens": "input_tokens",
    "CacheReadTokens": "cache_read_tokens",
    "CacheWriteTokens": "cache_write_tokens",
    "ToolPromptTokens": "tool_prompt_tokens",
    "OutputTokens": "output_tokens",
    "ReasoningTokens": "reasoning_tokens",
    "Cost": "cost",
    "CostBasis": "cost_basis",
    "ComputedCost": "computed_cost",
    "EstimatedCalls": "estimated_calls",
    "UnpricedCalls": "unpriced_calls",
}
# Of a session also these.
OF_SESSION: Final = {"Agent": "agent", "Project": "project"}
_TEXTS: Final = ("Group", "CostBasis", "Agent", "Project")
_MONEY: Final = ("Cost", "ComputedCost")
_SUMMED: Final = [key for key in COLUMNS if key not in _TEXTS]
_CACHED: Final = ("CacheReadTokens", "CacheWriteTokens")
_INPUT: Final = ("InputTokens", "ToolPromptTokens")
_TOKENS: Final = (*_INPUT, *_CACHED, "OutputTokens")
BAR: Final = 24
NAME: Final = 40
# Of a terminal as narrow as they come: names are cut before bars are this short.
SHORT_BAR: Final = 10
PIPED: Final = (120, 24)
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

Row = dict[str, Any]


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print what was used in a period; 2 if there is none of that name."""
    try:
        parse(arguments.period, datetime.now().astimezone().date())
    except ValueError as error:
        print(f"aimond: {error}", file=sys.stderr)
        return 2
    rows = asyncio.run(_rows(arguments.period, arguments.by))
    if arguments.json:
        document = {
            "period": arguments.period,
            "by": arguments.by,
            "rows": plain(rows, arguments.by),
            "total": plain([total(rows)], "")[0],
        }
        print(json.dumps(document, indent=2))
    elif arguments.csv:
        kept = {arguments.by if name == "group" else name: key for key, name in _columns(arguments.by).items()}
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(kept)
        writer.writerows([_plain(key, row.get(key)) for key in kept.values()] for row in rows)
    elif rows:
        print("\n".join(table(rows, arguments.by, shutil.get_terminal_size(PIPED).columns)))
    else:
        print(f"nothing was used ({arguments.period})")
    return 0


async def _rows(period: str, group: str) -> list[Row]:
    async with await Monitor.connect() as monitor:
        return list(await monitor.call("Usage", period, group))


def total(rows: list[Row]) -> Row:
    """All rows together; what none of them knows is not in it."""
    whole: Row = {"Group": "total"}
    for key in _SUMMED:
        known = [Decimal(str(row[key])) for row in rows if row.get(key) is not None]
        if known:
            whole[key] = sum(known, Decimal(0))
    bases = {row["CostBasis"] for row in rows} - {"none"}
    whole["CostBasis"] = bases.pop() if len(bases) == 1 else _mixed(bases) if bases else "none"
    return whole


def _mixed(bases: set[str]) -> str:
    return "partial" if bases & {"unknown", "partial"} else "mixed"


def plain(rows: list[Row], group: str) -> list[Row]:
    """As JSON and CSV have them: a cost that is not known is null, or empty."""
    return [{name: _plain(key, row.get(key)) for key, name in _columns(group).items()} for row in rows]


def _columns(group: str) -> dict[str, str]:
    return {**COLUMNS, **OF_SESSION} if group == "session" else COLUMNS


def _plain(key: str, value: Any) -> Any:
    if key in _TEXTS or (key in _MONEY and value is None):
        return value
    return float(value) if key in _MONEY else int(value or 0)


def table(rows: list[Row], group: str, width: int) -> list[str]:
    """Aligned lines with a bar each, and their sum below, in ``width`` columns; then what there is to say of prices."""
    whole = total(rows)
    shown = rows if len(rows) == 1 else [*rows, whole]
    numbers = [("CALLS", "INPUT", "CACHED", "OUTPUT", "COST"), *map(texts, shown)]
    widths = [max(map(cells, column)) for column in zip(*numbers, strict=True)]
    room = width - sum(widths) - 2 * len(widths)
    names = [fit(name(row, group), max(8, min(NAME, room - SHORT_BAR - 2))) for row in shown]
    widest = max(map(cells, (group, *names)))
    columns = max(0, min(BAR, room - widest - 2))
    measure = "Cost" if any(row.get("Cost") for row in rows) else "Tokens"
    most = max(_size(row, measure) for row in rows)
    bars = ["", *(bar(_size(row, measure), most, columns) for row in rows), ""]
    lines = []
    for called, line, drawn in zip((group.upper(), *names), numbers, bars, strict=False):
        cut = [pad(cell, wide, right=True) for cell, wide in zip(line, widths, strict=True)]
        lines.append("  ".join((pad(called, widest), *cut, drawn)).rstrip())
    return [*lines, *notes(whole)]


def name(row: Row, group: str) -> str:
    """Who it was: a session by the beginning of its id, as commands take it, and its project or agent."""
    if group == "session" and row["Group"]:
        return f"{row['Group'][:13]} {row.get('Project') or row.get('Agent', '')}".strip()
    return str(row["Group"]) or "(unknown)"


def texts(row: Row) -> tuple[str, ...]:
    """The numbers of one row for people."""
    sums = (sum(int(row.get(key, 0)) for key in keys) for keys in (_INPUT, _CACHED, ("OutputTokens",)))
    return str(int(row["Calls"])), *map(amount, sums), cost(row)


def cost(row: Row) -> str:
    """``$1.23``; ``≥ $1.23`` where some calls have no price, ``?`` where none has."""
    if row.get("Cost") is None:
        return "?" if row["CostBasis"] == "unknown" else ""
    least = 0 < row["Cost"] < 0.005
    return f"{'≥ ' if row['CostBasis'] == 'partial' else ''}{'<$0.01' if least else '${:,.2f}'.format(row['Cost'])}"


def notes(whole: Row) -> list[str]:
    """What to know of the prices."""
    unpriced, estimated = (int(whole.get(key, 0)) for key in ("UnpricedCalls", "EstimatedCalls"))
    told = []
    if unpriced:
        told.append(f"{unpriced} calls have no price: `aimond prices` shows of which models")
    if estimated:
        told.append(f"{estimated} calls are priced by an estimate")
    return told


def _size(row: Row, measure: str) -> float:
    return float(row.get("Cost") or 0) if measure == "Cost" else float(sum(int(row.get(key, 0)) for key in _TOKENS))


def bar(size: float, most: float, columns: int = BAR) -> str:
    """A bar in eighths of a column."""
    eighths = round(columns * 8 * size / most) if most > 0 else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
