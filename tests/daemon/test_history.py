"""History behind a live daemon: whatever happens to the monitor, each call is counted once."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from aimond.commands.replay import _take as take
from aimond.core.usage import Spent
from aimond.history.file import default_path
from aimond.pricing import Prices
from aimond.spine import Spine
from aimond.tape import Tape, read
from tests.busdaemon import PrivateBus
from tests.daemon.live import Live, live
from tests.daemon.test_command_line import AIMOND

TAPES = sorted((Path(__file__).parents[1] / "tapes").rglob("*.tape.jsonl.gz"))
KEPT = {"history": {"enabled": True}}
GROUPS = ("agent", "model", "project", "day", "session")
TOKENS = {
    "InputTokens": "input",
    "CacheReadTokens": "cache_read",
    "CacheWriteTokens": "cache_write",
    "ToolPromptTokens": "tool_prompt",
    "OutputTokens": "output",
    "ReasoningTokens": "reasoning",
}
# All tapes were recorded on a day of these.
EVER = "2025-01-01/2029-12-31"


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PrivateBus]:
    with PrivateBus() as bus:
        for name, value in bus.environment.items():
            monkeypatch.setenv(name, value)
        yield bus


@cache
def truth() -> Spent:
    """What all tapes used, each played once, from its first line to its last, without the hooks and processes."""
    spine = Spine(pricing=Prices({}))
    for path in TAPES:
        tape = read(path)
        for line in tape.lines:
            take(spine, tape, line, True)
    spine.tracker.tick(2**62)
    return spine.tracker.ledger.since(0)


def shuffled(tape: Tape, seed: int) -> Tape:
    """The same requests in another order, a third of them twice."""
    chance = random.Random(seed)
    lines = tape.lines + chance.sample(tape.lines, len(tape.lines) // 3)
    chance.shuffle(lines)
    return Tape(tape.tool, tape.epoch, lines)


async def send(running: Live, tapes: list[Tape]) -> None:
    sent = 0
    for tape in tapes:
        sent += await running.post(tape)
    await running.until_understood(sent)
    tracker = running.daemon._spine.tracker
    running.daemon._publish(tracker.tick(2**62))  # metrics need not wait for logs that have all come


async def used(running: Live, group: str) -> list[dict[str, Any]]:
    return list(await running.reader.call("Usage", EVER, group))


def assert_true(rows: list[dict[str, Any]], expected: Spent) -> None:
    assert sum(row["Calls"] for row in rows) == expected.requests
    for name, field in TOKENS.items():
        assert sum(row[name] for row in rows) == getattr(expected.usage, field), name
    assert sum(row.get("Cost", 0.0) for row in rows) == pytest.approx(float(expected.cost), abs=1e-9)


async def assert_all_agree(running: Live) -> None:
    """Memory, history, D-Bus and the command, in every grouping."""
    expected = truth()
    assert running.daemon._spine.tracker.ledger.since(0) == expected
    for group in GROUPS:
        assert_true(await used(running, group), expected)
    command = [*AIMOND, "usage", EVER, "--by", "model"]
    asked = await asyncio.gather(*(output(*command, form) for form in ("--json", "--csv")))
    document, rows = json.loads(asked[0]), list(csv.DictReader(io.StringIO(asked[1])))
    assert document["total"]["calls"] == expected.requests == sum(int(row["calls"]) for row in rows)
    assert document["total"]["cost"] == pytest.approx(float(expected.cost), abs=1e-9)
    assert document["total"]["cost_basis"] == "partial" if expected.basis == "partial" else expected.basis
    with sqlite3.connect(f"file:{default_path()}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT sum(requests), sum(output) FROM call").fetchone() == (
            expected.requests,
            expected.usage.output,
        )


async def output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_all_tapes_together_give_the_same_totals_everywhere(bus: PrivateBus) -> None:
    tapes = [shuffled(read(path), seed) for seed, path in enumerate(TAPES)]
    async with live(bus, KEPT, queue=100_000) as running:
        await send(running, tapes)
        await assert_all_agree(running)
    async with live(bus, KEPT, queue=100_000) as running:  # an orderly restart, and exporters that send again
        await assert_all_agree(running)
        await send(running, [read(path) for path in TAPES])
        await assert_all_agree(running)


async def test_sessions_outlive_the_monitor(bus: PrivateBus) -> None:
    async with live(bus, KEPT) as running:
        for path in TAPES[::9]:
            await running.until_understood(await running.post(read(path)))
        before = await running.reader.sessions()
    async with live(bus, KEPT) as running:
        after = await running.reader.sessions()
    assert before
    assert {one["Id"]: one for one in after} == {one["Id"]: one for one in before}


async def test_each_threshold_of_a_budget_is_told_once_across_restarts(bus: PrivateBus) -> None:
    tape = next(path for path in TAPES if "2.1.330" in str(path) and "streamjson" in path.name)
    cost = float(spent_by(read(tape)).cost)
    assert cost > 0
    budget = {"name": "month", "period": "month", "limit": cost / 2}
    more = {**KEPT, "budget": [budget], "session": {"notify_cost": cost * 0.9}}
    async with live(bus, more) as running:
        await running.until_understood(await running.post(read(tape)))
        told = [signal.values for signal in running.signals if signal.name == "BudgetCrossed"]
    assert sorted((one["budget"], one["fraction"]) for one in told) == [
        ("month", 0.5),
        ("month", 0.8),
        ("month", 1.0),
        ("session", 1.0),
    ]
    async with live(bus, more) as running:
        await running.until_understood(await running.post(read(tape)))
        assert [signal for signal in running.signals if signal.name == "BudgetCrossed"] == []


def spent_by(tape: Tape) -> Spent:
    spine = Spine(pricing=Prices({}))
    for line in tape.lines:
        take(spine, tape, line, True)
    return spine.tracker.ledger.since(0)


async def test_a_history_that_cannot_be_written_is_told_of_and_costs_nothing_else(bus: PrivateBus) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().mkdir()  # a directory where the file should be
    async with live(bus, KEPT) as running:
        await running.until_understood(await running.post(read(TAPES[0])))
        assert (await running.reader.properties())["HistoryError"]
        assert sum(row["Calls"] for row in await used(running, "agent")) == spent_by(read(TAPES[0])).requests


@pytest.mark.parametrize(("period", "group"), [("someday", "agent"), ("today", "colour"), ("2026-02-30", "day")])
async def test_what_cannot_be_asked_is_refused(bus: PrivateBus, period: str, group: str) -> None:
    async with live(bus, KEPT) as running:
        with pytest.raises(Exception, match="no such"):
            await running.reader.call("Usage", period, group)
