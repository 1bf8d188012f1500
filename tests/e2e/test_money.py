"""Real CLIs work for a day, and their providers keep a ledger: what the monitor says was used is what they served."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
import pytest_asyncio

from aimond.bus.client import Monitor
from aimond.commands.usage import COLUMNS
from aimond.core.usage import Usage
from aimond.pricing import Prices
from tests.daemon.sums import COUNTS, noon, posix
from tests.e2e.conftest import SIDE_BY_SIDE
from tests.e2e.monitor import Live, live
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.scenes import AGENTS, LEDGERS, Json, Played, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Seconds; metrics wait 10 s for the logs of the same calls, and what should not come must have had the time to.
SETTLED = 12.0
PROVIDERS = {"claude": "anthropic", "codex": "openai", "gemini": "google"}
SCENES = [
    *(
        Scene(cli, name)
        for name in ("multi", "two", "error500-then-ok", "interrupt", "tool")
        for cli in ("gemini", "codex", "claude")
    ),
    Scene("codex", "tui-idle-exit"),  # with hidden threads, for titles
    *(Scene(cli, "tui-esc") for cli in AGENTS),
]
# Claude Code's own estimate of what it had read until Esc: two for each word of the mock's.
ESTIMATED = 14

Bill = dict[str, int]


@dataclass(frozen=True)
class Day:
    """A monitor at the end of a day, and what was played on it."""

    monitor: Live
    played: list[Played]

    async def usage(self, group: str, period: str = "today") -> list[Json]:
        """What ``Usage`` answers."""
        async with await Monitor.connect(self.monitor.environment["DBUS_SESSION_BUS_ADDRESS"]) as reader:
            return list(await reader.call("Usage", period, group))

    async def properties(self) -> Json:
        """Those of the monitor."""
        async with await Monitor.connect(self.monitor.environment["DBUS_SESSION_BUS_ADDRESS"]) as reader:
            return dict(await reader.properties())

    async def says(self, *arguments: str) -> str:
        """What ``aimond usage`` prints."""
        command = [sys.executable, "-m", "aimond", "usage", *arguments]
        process = await asyncio.create_subprocess_exec(*command, env=self.monitor.environment, stdout=PIPE)
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode()


def owner(played: Played, row: Json) -> str:
    """The session of the user that a call was made for, by the provider's row of it."""
    sessions = {each["session_id"]: each for each in played.truth["sessions"]}
    if row.get("session_id") in sessions and sessions[row["session_id"]]["kind"] == "main":
        return str(row["session_id"])
    mine = [each for each in sessions.values() if each["kind"] == "main"]
    if len(mine) > 1:
        mine = [each for each in mine if each["label"] == row["label"]]
    (one,) = mine
    return str(one["session_id"])


def cut(played: Played, row: Json) -> bool:
    """Whether only metrics tell of that call: of a stream that was cut with Esc, as Claude Code's do (2.1.330)."""
    return row["outcome"] == "aborted" and str(played.scene) == "claude-tui-esc-http"


def reported(played: Played, row: Json) -> bool:
    """Whether the CLI can tell of that call. Of all others it tells nothing: refused ones, and cut ones."""
    return row["outcome"] == "completed" or cut(played, row)


def bill(played: Played, row: Json) -> Bill:
    """What the provider told the CLI of a call; of one that was cut, it has not told the output yet."""
    usage = {"Calls": 1, **dict.fromkeys(COUNTS, 0), **LEDGERS[played.scene.cli](row["usage"])}
    return usage | {"Calls": 0, "OutputTokens": ESTIMATED} if cut(played, row) else usage


def price(prices: Prices, cli: str, row: Json, usage: Bill) -> Decimal:
    """What the price table says of a call."""
    tokens = Usage(**{field: usage[name] for name, field in COUNTS.items()})
    cost = prices.price(PROVIDERS[cli], row["model"], tokens, row["end_ns"] // 1000).cost
    assert cost is not None, row["model"]
    return cost


def ledger(day: Day, group: str) -> dict[str, Bill]:
    """What the providers served, by session, agent or model."""
    sums: dict[str, Counter[str]] = {}
    for played in day.played:
        for row in played.truth["requests"]:
            if reported(played, row):
                name = {"session": owner(played, row), "agent": AGENTS[played.scene.cli], "model": row["model"]}[group]
                sums.setdefault(name, Counter()).update(bill(played, row))
    return {name: dict(each) for name, each in sums.items()}


def counts(rows: list[Json]) -> dict[str, Bill]:
    return {row["Group"]: {name: int(row[name]) for name in ("Calls", *COUNTS)} for row in rows}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def day(clis: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Day]:
    """All scenes, side by side, with a monitor of their own."""
    for name in PROVIDERS:
        assert install(CLIS[name], default_cache())
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    async with live(tmp_path_factory.mktemp("aimond"), TZ=posix(noon())) as monitor:

        async def play(scene: Scene) -> Played:
            async with room:
                return await scene.play(monitor, tmp_path_factory.mktemp(str(scene)))

        day = Day(monitor, list(await asyncio.gather(*map(play, SCENES))))
        await asyncio.sleep(SETTLED)
        yield day


async def test_each_session_used_what_its_provider_served(day: Day) -> None:
    """Once, calls that no user sees included: Gemini CLI's router, the titles of Codex CLI."""
    assert counts(await day.usage("session")) == ledger(day, "session")


async def test_what_was_hidden_is_in_it(day: Day) -> None:
    hidden = Counter(
        played.scene.cli
        for played in day.played
        for row in played.truth["requests"]
        if reported(played, row) and row["kind"] == "auxiliary"
    )
    assert hidden["codex"] >= 1
    assert hidden["gemini"] >= 5


@pytest.mark.parametrize("group", ["agent", "model"])
async def test_each_group_used_what_was_served(day: Day, group: str) -> None:
    assert counts(await day.usage(group)) == ledger(day, group)


async def test_the_totals_of_today_are_those_of_the_providers(day: Day) -> None:
    whole: Counter[str] = Counter()
    for each in ledger(day, "agent").values():
        whole.update(each)
    shown = await day.properties()
    tokens = sum(count for name, count in whole.items() if name not in ("Calls", "ReasoningTokens"))
    assert shown["TokensToday"] == tokens
    rows = await day.usage("day")
    assert list(counts(rows).values()) == [dict(whole)]
    assert shown["CostToday"] == pytest.approx(rows[0]["Cost"], abs=1e-9)
    assert shown["CostMonth"] == pytest.approx((await day.usage("day", "month"))[-1]["Cost"], abs=1e-9)
    assert shown["CostTodayBasis"] == rows[0]["CostBasis"] == "mixed"


async def test_what_is_computed_is_what_the_served_tokens_cost(day: Day) -> None:
    prices, costs = Prices({}), Counter[str]()
    for played in day.played:
        for row in played.truth["requests"]:
            if reported(played, row):
                cost = price(prices, played.scene.cli, row, bill(played, row))
                costs[AGENTS[played.scene.cli]] += cost  # type: ignore[assignment]
    rows = {row["Group"]: row for row in await day.usage("agent")}
    for agent, expected in costs.items():
        assert rows[agent]["ComputedCost"] == pytest.approx(float(expected), abs=1e-9), agent
    # Claude Code's own word counts; the mock's models have list prices.
    assert {agent: rows[agent]["CostBasis"] for agent in rows} == {
        "claude-code": "reported",
        "codex": "computed",
        "gemini-cli": "computed",
    }
    assert rows["claude-code"]["Cost"] == pytest.approx(rows["claude-code"]["ComputedCost"], rel=0.05)


async def test_the_command_says_the_same(day: Day) -> None:
    for group in ("session", "agent", "model", "project", "day"):
        rows = await day.usage(group)
        said = json.loads(await day.says("today", "--by", group, "--json"))
        names = {name: column for name, column in COLUMNS.items() if name in COUNTS or name in ("Group", "Calls")}
        assert [{name: row[column] for name, column in names.items()} for row in said["rows"]] == [
            {name: row[name] for name in names} for row in rows
        ]
        assert said["total"]["calls"] == sum(row["Calls"] for row in rows)
