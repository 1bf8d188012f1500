"""``aimond usage``: tokens and money, by day, agent, model, project or session."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
from decimal import Decimal
from typing import Any, Final

from aimond.bus.client import Monitor
from aimond.commands import complain
from aimond.commands.look import amount

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
}
_SUMMED: Final = [key for key in COLUMNS if key not in ("Group", "CostBasis")]
_CACHED: Final = ("CacheReadTokens", "CacheWriteTokens")
_INPUT: Final = ("InputTokens", "ToolPromptTokens")
_TOKENS: Final = (*_INPUT, *_CACHED, "OutputTokens")
BAR: Final = 24
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

Row = dict[str, Any]


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print what was used in a period."""
    rows = asyncio.run(_rows(arguments.period, arguments.by))
    if arguments.json:
        document = {
            "period": arguments.period,
            "by": arguments.by,
            "rows": plain(rows),
            "total": plain([total(rows)])[0],
        }
        print(json.dumps(document, indent=2))
    elif arguments.csv:
        writer = csv.DictWriter(sys.stdout, [arguments.by, *list(COLUMNS.values())[1:]], lineterminator="\n")
        writer.writeheader()
        writer.writerows({arguments.by if key == "group" else key: row[key] for key in row} for row in plain(rows))
    elif rows:
        print("\n".join(table(rows, arguments.by)))
    else:
        print(f"nothing was used ({arguments.period})")
    return 0


async def _rows(period: str, group: str) -> list[Row]:
    async with await Monitor.connect() as monitor:
        return list(await monitor.call("Usage", period, group))


def total(rows: list[Row]) -> Row:
    """All rows together."""
    whole: Row = {"Group": "total"}
    for key in _SUMMED:
        whole[key] = sum((Decimal(str(row.get(key, 0))) for row in rows), Decimal(0))
    bases = {row["CostBasis"] for row in rows} - {"none"}
    whole["CostBasis"] = bases.pop() if len(bases) == 1 else _mixed(bases) if bases else "none"
    if whole["CostBasis"] in ("unknown", "none"):
        del whole["Cost"]
    return whole


def _mixed(bases: set[str]) -> str:
    return "partial" if bases & {"unknown", "partial"} else "mixed"


def plain(rows: list[Row]) -> list[Row]:
    """As JSON and CSV have them: a cost that is not known is null, or empty."""
    return [
        {
            name: row.get(key) if key in ("Group", "CostBasis") else _number(row.get(key), key)
            for key, name in COLUMNS.items()
        }
        for row in rows
    ]


def _number(value: Any, key: str) -> Any:
    if key == "Cost":
        return None if value is None else float(value)
    return int(value or 0)


def table(rows: list[Row], group: str) -> list[str]:
    """Aligned lines with a bar each, and their sum below."""
    measure = "Cost" if any(row.get("Cost") for row in rows) else "Tokens"
    most = max((_size(row, measure) for row in rows), default=0.0)
    lines: list[tuple[str, ...]] = [(group.upper(), "CALLS", "INPUT", "CACHED", "OUTPUT", "COST", "")]
    lines += [(*cells(row), bar(_size(row, measure), most)) for row in rows]
    if len(rows) > 1:
        lines.append((*cells(total(rows)), ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, len(widths) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def cells(row: Row) -> tuple[str, ...]:
    """One row for people."""
    sums = (sum(int(row.get(key, 0)) for key in keys) for keys in (_INPUT, _CACHED, ("OutputTokens",)))
    return str(row["Group"]) or "(unknown)", str(int(row["Calls"])), *map(amount, sums), cost(row)


def cost(row: Row) -> str:
    """``$1.23``; ``≥ $1.23`` where some calls have no price, ``?`` where none has."""
    if row.get("Cost") is None:
        return "?" if row["CostBasis"] == "unknown" else ""
    return f"{'≥ ' if row['CostBasis'] == 'partial' else ''}${row['Cost']:,.2f}"


def _size(row: Row, measure: str) -> float:
    return float(row.get("Cost") or 0) if measure == "Cost" else float(sum(int(row.get(key, 0)) for key in _TOKENS))


def bar(size: float, most: float) -> str:
    """A bar in eighths of a column."""
    eighths = round(BAR * 8 * size / most) if most > 0 else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
