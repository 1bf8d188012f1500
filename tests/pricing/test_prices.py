"""What a call costs, by whose word, and what is said when nobody knows."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from genai_prices import Usage as LibraryUsage
from genai_prices import calc_price, data_snapshot

from aimond.config import ConfigError, load
from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.price import NO_RATES, Rate, Rates
from aimond.core.snapshot import Basis
from aimond.core.usage import Usage
from aimond.pricing import UPDATE_EVERY, Prices, updater
from aimond.sections import Prices as Settings
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.pricing.published import PUBLISHED

NOW = 1_795_700_000 * 10**6  # 26 November 2026
WHEN = datetime.fromtimestamp(NOW // 10**6, UTC)
MILLION = 10**6


def own(**models: dict[str, Any]) -> Prices:
    return Prices(Settings.model_validate({name.replace("_", "-"): prices for name, prices in models.items()}).models)


def cost(prices: Prices, model: str, usage: Usage, provider: str = "") -> Decimal | None:
    return prices.price(provider, model, usage, NOW).cost


# -- the table --------------------------------------------------------------------------------------


MAKER = {"claude": "anthropic", "gpt": "openai", "gemini": "google"}
USAGES = [
    Usage(12, 3000, 1500, 0, 25),
    Usage(input=100_000, output=1),
    Usage(input=200_000),
    Usage(input=200_001, output=100, reasoning=60),
    Usage(input=150_000, cache_read=50_000, cache_write=1000, output=7),
    Usage(input=272_000),
    Usage(input=272_001, output=9),
    Usage(cache_write=500, cache_write_1h=400, output=1),
    Usage(tool_prompt=30, output=3),
]


@pytest.mark.parametrize("usage", USAGES, ids=str)
@pytest.mark.parametrize("model", PUBLISHED)
def test_it_is_what_the_library_itself_computes(model: str, usage: Usage) -> None:
    provider = MAKER[model.partition("-")[0]]
    said = {"input_tokens": usage.whole_input, "output_tokens": usage.output, "cache_read_tokens": usage.cache_read}
    said |= {"cache_write_tokens": usage.cache_write, "cache_write_1h_tokens": usage.cache_write_1h}
    theirs = calc_price(
        LibraryUsage(**{kind: count for kind, count in said.items() if count}),
        model,
        provider_id=provider,
        genai_request_timestamp=WHEN,
    )
    assert cost(Prices(), model, usage, provider) == theirs.total_price


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_table_says_what_the_vendors_publish(model: str) -> None:
    published, rates = PUBLISHED[model], Prices().rates(MAKER[model.partition("-")[0]], model, NOW)
    assert rates.input
    assert rates.output
    assert rates.cache_read
    assert (rates.input.base, rates.cache_read.base, rates.output.base) == tuple(
        map(Decimal, (published.input, published.cache_read, published.output))
    )
    if published.above < 10**9:
        long = published.above + 1
        above = (rates.input.of(long), rates.cache_read.of(long), rates.output.of(long))
        assert above == tuple(map(Decimal, published.then))


@pytest.mark.parametrize(
    ("model", "provider", "same_as"),
    [
        ("claude-opus-5-5[1m]", "anthropic", "claude-opus-5-5"),
        ("claude-sonnet-4-5-latest", "anthropic", "claude-sonnet-4-5"),
        ("claude-haiku-4-5-20251001", "anthropic", "claude-haiku-4-5"),
        ("claude-opus-5-5@20260922", "google", "claude-opus-5-5"),
        ("global.anthropic.claude-opus-5-5-v1:0", "aws", "claude-opus-5-5"),
        ("models/gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("gemini-2.5-flash", "gcp.gemini", "gemini-2.5-flash"),
        ("CLAUDE-OPUS-5-5", "anthropic", "claude-opus-5-5"),
    ],
)
def test_a_name_is_known_in_its_many_forms(model: str, provider: str, same_as: str) -> None:
    usage, prices = Usage(1000, 100, 10, 0, 50), Prices()
    found = prices.price(provider, model, usage, NOW)
    assert found.cost == cost(prices, same_as, usage, MAKER[same_as.partition("-")[0]])
    assert not found.estimated


def test_amazons_own_endpoints_cost_a_tenth_more() -> None:
    usage = Usage(input=MILLION)
    assert cost(Prices(), "us.anthropic.claude-opus-5-5-v1:0", usage, "aws") == Decimal("4.40")


def test_a_model_of_another_maker_is_priced_by_its_name_and_that_is_a_guess() -> None:
    """Claude Code pointed at another API, Codex at a proxy."""
    found = Prices().price("openai", "claude-opus-5-5", Usage(input=MILLION), NOW)
    assert (found.cost, found.estimated) == (4, True)


def test_the_fast_mode_costs_what_it_costs() -> None:
    prices = Prices()
    assert prices.price("anthropic", "claude-opus-5-5", Usage(input=MILLION), NOW, fast=True).cost == 8
    assert prices.price("anthropic", "claude-opus-5-5", Usage(input=MILLION), NOW).cost == 4


def test_prices_are_those_of_the_day_of_the_call() -> None:
    """Gemini 3.8 Flash is introduced at half its price, until the end of 2026."""
    later = round(datetime(2027, 1, 2, tzinfo=UTC).timestamp()) * MILLION
    prices, usage = Prices(), Usage(input=MILLION)
    assert prices.price("google", "gemini-3.8-flash", usage, NOW).cost == Decimal("0.75")
    assert prices.price("google", "gemini-3.8-flash", usage, later).cost == Decimal("1.50")


@pytest.mark.parametrize("at", [-(2**63), 0, 2**63, 10**30])
def test_a_call_of_no_time_known_to_man_is_priced_too(at: int) -> None:
    assert Prices().price("anthropic", "claude-opus-5-5", Usage(input=MILLION), at).cost == 4


def test_unknown_is_not_nothing() -> None:
    found = Prices().price("anthropic", "nobody-knows-it", Usage(1), NOW)
    assert (found.cost, found.basis, found.source) == (None, Basis.UNKNOWN, "")


# -- the user's own ---------------------------------------------------------------------------------


def test_the_users_price_goes_first() -> None:
    prices = own(claude_opus_5_5={"input": 1, "output": "2.5", "cache_read": Decimal("0.1")})
    found = prices.price("anthropic", "claude-opus-5-5[1m]", Usage(MILLION, MILLION, MILLION, 0, MILLION), NOW)
    assert found.cost == 1 + Decimal("0.1") + 1 + Decimal("2.5")  # writes cost what input does
    assert (found.source, found.basis, found.estimated) == ("config [prices]", Basis.COMPUTED, False)


def test_a_local_model_costs_nothing_and_that_is_known() -> None:
    found = own(qwen3_coder={"input": 0, "output": 0}).price("openai", "Qwen3-Coder", Usage(5, 0, 0, 0, 5), NOW)
    assert (found.cost, found.basis) == (0, Basis.COMPUTED)


def test_a_default_is_for_models_that_nobody_knows_and_marked() -> None:
    prices = own(default={"input": 2, "output": 8})
    guess = prices.price("x", "nobody-knows-it", Usage(MILLION), NOW)
    assert (guess.cost, guess.basis, guess.estimated) == (2, Basis.COMPUTED, True)
    assert cost(prices, "claude-opus-5-5", Usage(MILLION), "anthropic") == 4


def test_the_users_tiers_hold_for_the_whole_call() -> None:
    prices = own(mine={"input": 1, "output": 2, "tiers": [{"above": 500, "input": 10}, {"above": 900, "output": 20}]})
    assert cost(prices, "mine", Usage(input=500, output=100)) == Decimal("0.0007")
    assert cost(prices, "mine", Usage(input=501, output=100)) == Decimal("0.00521")
    assert cost(prices, "mine", Usage(input=100, cache_read=801, output=100)) == Decimal("0.01101")


def test_the_file_may_say_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[prices."gpt-oss:20b"]\ninput = 0.1\noutput = 0.3\n[prices.default]\ninput = 1\noutput = 1\n')
    prices = Prices(load(file).prices.models)
    assert cost(prices, "gpt-oss:20b", Usage(3, output=1)) == Decimal("0.0000006")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[prices]\nupdat = true", "prices.updat"),
        ('[prices."m"]\ninput = 1', "prices.m.output"),
        ('[prices."m"]\ninput = -1\noutput = 1', "prices.m.input"),
        ('[prices."m"]\ninput = nan\noutput = 1', "prices.m.input"),
        ('[prices."m"]\ninput = 1\noutput = 1\ncached = 1', "prices.m.cached"),
        ('[prices."m"]\ninput = 1\noutput = 1\ntiers = [{ above = 0 }]', "prices.m.tiers.0.above"),
    ],
)
def test_a_wrong_price_is_an_error_that_names_its_key(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=complaint.replace(".", r"\.")):
        load(tmp_path / "config.toml")


# -- what is told -----------------------------------------------------------------------------------


def call(model: str, cost: str | None) -> ev.ModelCallFinished:
    paid = None if cost is None else Decimal(cost)
    who: dict[str, Any] = {"agent": "a", "session": "s", "at": NOW, "source": Source.LOG}
    return ev.ModelCallFinished(**who, model=model, provider="anthropic", usage=Usage(MILLION), cost=paid)


def test_reported_and_computed_stand_side_by_side() -> None:
    priced = Prices().priced(call("claude-opus-5-5", "3.99"))
    assert (priced.cost, priced.computed) == (Decimal("3.99"), 4)
    assert (priced.spent.cost, priced.spent.table, priced.spent.basis) == (Decimal("3.99"), 4, Basis.REPORTED)


def test_who_differs_by_more_than_a_twentieth_is_told_of_once() -> None:
    told: list[str] = []
    prices = Prices(warn=told.append)
    for reported in ("3.81", "4.19", "4.21"):
        prices.compare("claude-opus-5-5", Decimal(reported), Decimal(4))
    assert told == []
    for model in ("claude-opus-5-5", "claude-opus-5-5", "other"):
        prices.compare(model, Decimal("4.22"), Decimal(4))
    assert len(told) == 2
    assert told[0].startswith("claude-opus-5-5: the CLI reports $4.22 where the price table says $4")


def test_an_old_table_says_so_once() -> None:
    told: list[str] = []
    prices, dated = Prices(warn=told.append), Prices().dated()
    fresh, old = (datetime(dated.year, dated.month, dated.day, 12, tzinfo=UTC) + timedelta(n) for n in (0, 121))
    assert prices.stale(fresh) == ""
    for day in (fresh, old, old + timedelta(1)):
        prices.price("anthropic", "claude-opus-5-5", Usage(1), round(day.timestamp()) * MILLION)
    (text,) = told
    assert f"of {prices.dated()}" in text
    assert "update = true" in text


def test_calls_from_before_the_table_do_not_make_it_old() -> None:
    told: list[str] = []
    prices, dated = Prices(warn=told.append), Prices().dated()
    assert dated > date(2026, 8, 1)
    for days in (1, 100, 300, 500, 1_000):
        at = datetime(dated.year, dated.month, dated.day, tzinfo=UTC) - timedelta(days)
        prices.price("anthropic", "claude-opus-5-5", Usage(1), round(at.timestamp()) * MILLION)
    assert told == []


def test_a_fetched_table_is_used_at_once() -> None:
    prices = Prices()
    assert cost(prices, "claude-opus-5-5", Usage(1), "anthropic")
    try:
        data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot([], from_auto_update=True))
        assert cost(prices, "claude-opus-5-5", Usage(1), "anthropic") is None
        assert prices.stale(datetime.now(UTC)) == ""
    finally:
        data_snapshot.set_custom_snapshot(None)
    assert cost(prices, "claude-opus-5-5", Usage(1), "anthropic")


def test_a_table_is_fetched_once_a_day_and_only_on_request() -> None:
    assert updater().update_interval == UPDATE_EVERY == 86_400
    assert Settings().update is False


def test_the_library_is_imported_with_the_first_call_that_it_prices() -> None:
    code = """
import sys
import aimond.daemon
from aimond.pricing import Prices
from aimond.core.usage import Usage
prices = Prices()
assert "genai_prices" not in sys.modules
assert prices.price("anthropic", "claude-opus-5-5", Usage(1), 1795700000000000).cost
assert "genai_prices" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_the_first_request_has_it_imported() -> None:
    """A prompt comes before its calls: by then the table is there, and no loop has waited for it."""
    with PrivateBus() as bus:
        async with live(bus) as running:
            assert not running.daemon._prices._is_prepared
            async with ClientSession() as session:
                url = running.url("/v1/logs")
                async with session.post(url, data=b"", headers={"Content-Type": "application/x-protobuf"}) as answer:
                    assert answer.status == 200
            assert running.daemon._prices._is_prepared


def test_a_thread_imports_it() -> None:
    code = """
import sys, threading
from aimond.pricing import Prices
Prices().prepare()
assert [each.name for each in threading.enumerate()] == ["MainThread", "prices"]
threading.enumerate()[1].join()
assert "genai_prices" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_rate_without_a_price_is_unknown_and_nothing_used_costs_nothing() -> None:
    assert NO_RATES.cost(Usage()) == 0
    assert NO_RATES.cost(Usage(1)) is None
    assert Rates(input=Rate(Decimal(1))).cost(Usage(1, output=1)) is None


def test_new_prices_of_the_users_hold_from_then_on() -> None:
    prices, call = own(m={"input": 1, "output": 1}), Usage(input=MILLION)
    assert cost(prices, "m", call) == 1
    prices.configure(Settings.model_validate({"m": {"input": 2, "output": 2}}).models)
    assert cost(prices, "m", call) == 2
    prices.configure({})
    assert cost(prices, "m", call) is None
