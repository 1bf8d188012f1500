"""``aimond prices``: what each model is taken to cost, who says so, and how old that is."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from aimond.agents import find
from aimond.bus.client import CallFailed, Monitor
from aimond.commands import complain
from aimond.config import ConfigError, load
from aimond.core.price import NO_RATES, Rate, Rates
from aimond.pricing import Prices, plain

KINDS: Final = Rates.__struct_fields__[:6]
# In the order of a bill; a kind that costs what another does is left blank.
COLUMNS: Final = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
HEADS: Final = ("MODEL", "INPUT", "CACHE READ", "WRITE 5M", "WRITE 1H", "OUTPUT", "REASONING", "SOURCE")
Seen = dict[str, set[str]]  # model → the agents that use it


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print the prices of the models named, else of those that the monitor has seen."""
    try:
        config = load(arguments.config).prices
    except ConfigError as error:
        print(f"aimond: {error}", file=sys.stderr)
        return 2
    models: Seen = {model: set() for model in arguments.model}
    if not models:
        models = asyncio.run(_seen())
    prices, now = Prices(config.models), time.time_ns() // 1000
    found = {model: rates(prices, model, models[model], now) for model in sorted(models)}
    today = datetime.fromtimestamp(now // 10**6, UTC)
    old = prices.stale(today)
    if arguments.json:
        table = {"source": prices.source(), "date": prices.dated().isoformat(), "warning": old}
        listed = [as_json(model, each) for model, each in found.items()]
        print(json.dumps({"table": table, "unit": "USD per million tokens", "models": listed}, indent=2))
        return 0
    if found:
        lines = [HEADS, *(line for model, each in found.items() for line in rows(model, each))]
        print("\n".join(aligned(lines)), "\n\nUSD per million tokens", sep="")
    else:
        print("no model has been seen; name one: aimond prices claude-opus-5-5")
    if old:
        print(f"warning: {old}")
    return 0


async def _seen() -> Seen:
    """The models of the sessions that are shown, and of this month, where the monitor keeps that."""
    models: Seen = {}
    async with await Monitor.connect() as monitor:
        for session in await monitor.sessions():
            if session["Model"]:
                models.setdefault(session["Model"], set()).add(session["Agent"])
        with suppress(CallFailed):
            for row in await monitor.call("Usage", "month", "model"):
                models.setdefault(str(row.get("Model") or row.get("Group") or ""), set())
    models.pop("", None)
    return models


def rates(prices: Prices, model: str, agents: Iterable[str], now: int) -> Rates:
    """As the calls of those agents are priced; of an agent that is not known, as any of them is."""
    known = {agent.name: agent.provider for agent in find().values()}
    used = [known.get(agent, "") for agent in agents] or list(known.values())
    every = [prices.rates(provider, model, now) for provider in used]
    return next((each for each in every if not each.estimated and each != NO_RATES), every[0])


def rows(model: str, prices: Rates) -> Iterable[tuple[str, ...]]:
    """A line of prices, and one for each tier above it."""
    if prices.input is None and prices.output is None:
        yield model, *[""] * len(COLUMNS), "no price known; set one in [prices]"
        return
    source = f"{prices.source}, a guess" if prices.estimated else prices.source
    columns = [getattr(prices, kind) for kind in COLUMNS]
    yield model, *(money(rate.base) if rate else "" for rate in columns), source
    for start in tiers(prices):
        above = (money(rate.of(start + 1)) if rate else "" for rate in columns)
        yield f"  above {start:,} tokens of input", *above, ""


def tiers(prices: Rates) -> list[int]:
    """Where other prices begin, in tokens of a call's whole input."""
    each: list[Rate] = [rate for kind in KINDS if (rate := getattr(prices, kind))]
    return sorted({start for rate in each for start, _ in rate.tiers})


def as_json(model: str, prices: Rates) -> dict[str, Any]:
    """The same for a script; money is text, so that nothing is rounded."""
    told: dict[str, Any] = {"model": model, "name": plain(model), "source": prices.source}
    told |= {"estimated": prices.estimated, "known": prices.input is not None or prices.output is not None}
    told["prices"] = {kind: money(rate.base) for kind in COLUMNS if (rate := getattr(prices, kind))}
    told["tiers"] = [
        {"above": start, **{kind: money(rate.of(start + 1)) for kind in COLUMNS if (rate := getattr(prices, kind))}}
        for start in tiers(prices)
    ]
    return told


def money(amount: Decimal) -> str:
    """0.20, 18.75, 0.125: never fewer than two decimals, and none lost."""
    return f"{amount:f}" if -int(amount.as_tuple().exponent) > 2 else f"{amount:.2f}"


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """Columns, numbers to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, len(HEADS) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
