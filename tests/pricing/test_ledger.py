"""Every tape, to the token and to a billionth of a dollar, against what happened and what vendors publish."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aimond.commands.replay import AFTERWARDS
from aimond.core.snapshot import Basis
from aimond.core.turn import SECOND
from aimond.core.usage import Spent, total
from aimond.pricing import Prices
from aimond.spine import Spine
from aimond.tape import Line
from tests.pricing import published
from tests.recorded import PATHS, name, records, tape

NANO = Decimal("1e-9")
PRICES = Prices()
each_tape = pytest.mark.parametrize("path", PATHS, ids=name)


def truth(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.with_name(path.name.replace(".tape.jsonl.gz", ".truth.json")).read_text())
    return [session for session in document["sessions"] if session.get("observable_usage")]


def requests(path: Path) -> list[Line]:
    return [line for line in tape(path).lines if line.kind == "otlp"]


def account(path: Path, lines: list[Line]) -> Spine:
    """What those requests come to, 300 s after the last one."""
    spine, last = Spine(pricing=PRICES), 0.0
    for line in lines:
        last = max(last, line.t)
        if batch := tape(path).batch(line, with_peer=False):
            spine.take(batch)
    end = tape(path).at(last) + round(AFTERWARDS) * SECOND
    while (deadline := spine.tracker.deadline()) is not None and deadline <= end:
        spine.tracker.tick(deadline)
    return spine


def used(spine: Spine, session: str) -> dict[str, Spent]:
    """What one session used itself; hidden threads stand for themselves here."""
    found = [each for each in spine.tracker.sessions.remembered if each.id == session]
    return dict(found[0].models) if found else {}


def in_words(spent: Spent) -> Counter[str]:
    usage = spent.usage
    return +Counter(
        {
            "requests": spent.requests,
            "input_uncached": usage.input,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
            "tool_prompt": usage.tool_prompt,
            "output": usage.output,
            "reasoning": usage.reasoning,
        }
    )


def as_told(tokens: dict[str, Any]) -> Counter[str]:
    words: Counter[str] = Counter()
    for kind, number in tokens.items():
        words["cache_write" if kind.startswith("cache_write") else kind] += number
    return +words


def turns_with_a_price(path: Path, session: dict[str, Any]) -> dict[int, Decimal]:
    """Codex's own prices, by the turn (as counted in the truth) whose id was made just before its beginning."""
    prices: dict[int, Decimal] = {}
    for record in records(path):
        told = record.attributes.text
        if record.name == "codex.turn_cost" and told("conversation.id") == session["session_id"]:
            made = int(told("turn.id").replace("-", "")[:12], 16) * 1000
            starts = [abs(tape(path).at(turn["start"]) - made) for turn in session["turns"]]
            prices[starts.index(min(starts))] = Decimal(told("usage.estimated_usd"))
    return prices


def expected_cost(path: Path, session: dict[str, Any]) -> Decimal:
    """Reported where the CLI reports, published prices elsewhere."""
    if session.get("cli_final_cost_usd") is not None:
        return Decimal(str(session["cli_final_cost_usd"]))
    usage = session["observable_usage"]
    all_calls = sum((published.cost(model, tokens) for model, tokens in usage.items()), Decimal(0))
    prices = turns_with_a_price(path, session)
    if not prices:
        return all_calls
    ((model, _),) = usage.items()
    starts = [tape(path).at(turn["start"]) for turn in session["turns"]]
    calls: defaultdict[int, Decimal] = defaultdict(Decimal)
    for record in records(path):
        told = record.attributes.integer
        if record.attributes.text("conversation.id") != session["session_id"] or not told("input_token_count"):
            continue
        turn = max((n for n, start in enumerate(starts) if start <= record.at), default=0)
        cached = told("cached_token_count") or 0
        tokens = {
            "input_uncached": (told("input_token_count") or 0) - cached,
            "cache_read": cached,
            "output": told("output_token_count") or 0,
        }
        calls[turn] += published.cost(model, tokens)
    return sum(({**calls, **prices}).values(), Decimal(0))


@each_tape
def test_tokens_are_what_the_telemetry_carries_and_money_is_what_they_cost(path: Path) -> None:
    spine = account(path, requests(path))
    for session in truth(path):
        models = used(spine, session["session_id"])
        for model, tokens in session["observable_usage"].items():
            assert in_words(models.pop(model)) == as_told(tokens), model
        assert not any(spent.usage for spent in models.values())
        whole = total(used(spine, session["session_id"]).values())
        assert abs(whole.cost - expected_cost(path, session)) < NANO
        if session["reported_cost_usd"] is not None and session["session_id"] in claude(path):
            assert whole.basis in (Basis.REPORTED, Basis.NONE)
            if session["observable_usage"] == session["observable_usage_logs"]:
                assert abs(whole.cost - Decimal(str(session["reported_cost_usd"]))) < NANO


def claude(path: Path) -> set[str]:
    return {session["session_id"] for session in truth(path)} if "claude" in path.parts else set()


@each_tape
def test_the_ledger_is_the_sum_of_all_sessions_hidden_ones_too(path: Path) -> None:
    """Title threads, router calls and warm-ups are paid for, once."""
    spine = account(path, requests(path))
    assert spine.tracker.ledger.since(0) == total(each.spent for each in spine.tracker.sessions.remembered)
    wanted: Counter[str] = Counter()
    for session in truth(path):
        for tokens in session["observable_usage"].values():
            wanted += as_told(tokens)
    assert in_words(spine.tracker.ledger.since(0)) == wanted


@each_tape
def test_twice_and_backwards_is_the_same_money(path: Path) -> None:
    forwards = account(path, requests(path))
    backwards = account(path, [*reversed(requests(path)), *requests(path)])
    assert forwards.tracker.ledger.since(0) == backwards.tracker.ledger.since(0)


def test_the_tapes_have_every_published_model_and_every_basis() -> None:
    spent: dict[str, Spent] = {}
    for path in PATHS:
        for session in account(path, requests(path)).tracker.sessions.remembered:
            for model, each in session.models.items():
                spent[model] = spent.get(model, Spent()) + each
    assert spent.keys() >= published.PUBLISHED.keys()
    assert spent["claude-opus-5-5"].cut > 0
    assert spent["gpt-5.5"].reported > 0 < spent["gpt-5.5"].computed
    assert all(each.tabled for each in spent.values() if each.requests)
