"""``aimond usage``: a table that fits a terminal, and the same as JSON and CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aimond.commands.look import cells
from aimond.commands.usage import bar, table
from tests.busdaemon import PrivateBus
from tests.commands.terminal import terminal
from tests.daemon.mortal import Mortal, mortal
from tests.daemon.test_command_line import Desktop

NASTY = "x\x1b[31mred\n\x07\u202e[bold]" + "長" * 60


def row(group: str, cost: float | None = 1.0, basis: str = "computed", **more: Any) -> dict[str, Any]:
    known = {} if cost is None else {"Cost": cost}
    return {
        "Group": group,
        "Calls": 12,
        "InputTokens": 1_234_567,
        "CacheReadTokens": 99_999_999,
        "CacheWriteTokens": 0,
        "ToolPromptTokens": 0,
        "OutputTokens": 54_321,
        "CostBasis": basis,
        **known,
        **more,
    }


@pytest.mark.parametrize("width", [20, 60, 80, 81, 200])
@pytest.mark.parametrize("group", ["agent", "model", "project", "day", "session"])
def test_a_table_fits_whatever_strangers_name_things(width: int, group: str) -> None:
    rows = [row(NASTY, 12_345.678), row("01a21941-2f00-7e32-9545-e3a9f04b9944", 0.004, Project=NASTY), row("", 3.0)]
    lines = table(rows, group, width)
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert max(map(cells, lines)) <= max(width, 70)  # numbers are never cut


def test_a_table_has_bars_and_a_sum() -> None:
    head, dear, cheap, whole = table([row("a", 4.0), row("b", 1.0)], "agent", 80)
    assert head.split() == ["AGENT", "CALLS", "INPUT", "CACHED", "OUTPUT", "COST"]
    assert dear.endswith("$4.00  " + "█" * 24)
    assert cheap.endswith("$1.00  " + "█" * 6)
    assert whole.split() == ["total", "24", "2.5M", "200.0M", "108.6k", "$5.00"]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (row("m", 0.0), "$0.00"),
        (row("m", 0.001), "<$0.01"),
        (row("m", None, "unknown"), "?"),
        (row("m", 2.0, "partial"), "≥ $2.00"),
        (row("m", 1234.5, "reported"), "$1,234.50"),
    ],
)
def test_a_cost_that_is_not_known_is_not_nothing(told: dict[str, Any], shown: str) -> None:
    _, line = table([told], "model", 80)
    assert f"  {shown}" in line


def test_a_sum_with_calls_that_have_no_price_says_so() -> None:
    rows = [row("a", 4.0, EstimatedCalls=2), row("b", None, "unknown", UnpricedCalls=12)]
    *_, whole, unpriced, estimated = table(rows, "model", 80)
    assert whole.endswith("≥ $4.00")
    assert unpriced == "12 calls have no price: `aimond prices` shows of which models"
    assert estimated == "2 calls are priced by an estimate"


def test_a_session_is_named_as_commands_take_it_and_by_its_project() -> None:
    _, line = table([row("01a21941-2f00-7e32-9545-e3a9f04b9944", Agent="codex", Project="web")], "session", 80)
    assert line.startswith("01a21941-2f00 web  ")


def test_without_any_cost_bars_are_of_tokens() -> None:
    assert table([row("a", None, "unknown")], "agent", 80)[1].endswith("█" * 24)
    assert bar(1, 0) == ""


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus:
        yield Desktop(bus, tmp_path)


@pytest.mark.parametrize("words", [["someday"], ["2026-02-30"], ["2026-03-02/2026-03-01"], ["--by", "colour"]])
def test_a_period_or_group_that_there_is_not_is_wrong_usage(desktop: Desktop, words: list[str]) -> None:
    done = desktop.run("usage", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "today" in done.stderr or "session" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_monitor_it_says_what_to_do(desktop: Desktop) -> None:
    done = desktop.run("usage", "week")
    assert done.returncode == 1
    assert "`aimond run`" in done.stderr


async def asked(monitor: Mortal, *words: str) -> str:
    command = [sys.executable, "-m", "aimond", "usage", *words]
    process = await asyncio.create_subprocess_exec(*command, env=monitor.environment, stdout=PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_days_are_local_ones_also_that_of_25_hours(tmp_path: Path) -> None:
    """And everything else that a user can ask of a monitor: in a terminal, as JSON, as CSV."""
    berlin = ZoneInfo("Europe/Berlin")
    calls = [
        datetime(2025, 10, 25, 23, 59, tzinfo=berlin),
        datetime(2025, 10, 26, 0, 1, tzinfo=berlin),
        datetime(2025, 10, 26, 2, 30, tzinfo=berlin),
        datetime(2025, 10, 26, 2, 30, tzinfo=berlin, fold=1),
        datetime(2025, 10, 26, 23, 59, tzinfo=berlin),
        datetime(2025, 10, 27, 0, 1, tzinfo=berlin),
    ]
    period = "2025-10-25/2025-10-27"
    async with mortal(tmp_path, "[history]\nkeep_days = 36500", TZ="Europe/Berlin") as monitor:
        await monitor.start()
        await monitor.ready()
        assert await asked(monitor, period) == f"nothing was used ({period})\n"
        assert await asked(monitor, period, "--csv", "--by", "day") == HEAD
        for number, at in enumerate(calls):
            await monitor.call(at.timestamp(), number, model=NASTY, cost=0.25)
        days = list(csv.DictReader(io.StringIO(await asked(monitor, period, "--by", "day", "--csv"))))
        assert [(day["day"], day["calls"], day["cost"]) for day in days] == [
            ("2025-10-25", "1", "0.25"),
            ("2025-10-26", "4", "1.0"),
            ("2025-10-27", "1", "0.25"),
        ]
        document = json.loads(await asked(monitor, "2025-10-26", "--by", "session", "--json"))
        (session,) = document["rows"]
        assert (session["group"], session["agent"], session["calls"]) == ("s", "claude-code", 4)
        assert (document["total"]["cost"], document["total"]["cost_basis"]) == (1.0, "reported")
        assert session["computed_cost"] is None
        async with terminal(monitor.bus, "usage", period, "--by", "model", NO_COLOR="1") as shown:
            await shown.process.wait()
            await shown.shows("MODEL", "$1.50", "█")
        assert b"\x1b" not in shown.written
        assert len([line for line in shown.lines if line]) == 2


HEAD = (
    "day,calls,input_tokens,cache_read_tokens,cache_write_tokens,tool_prompt_tokens,output_tokens,reasoning_tokens,"
    "cost,cost_basis,computed_cost,estimated_calls,unpriced_calls\n"
)
