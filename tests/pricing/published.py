"""What vendors publish, for every model of the tapes: USD per million tokens, as read on 26 November 2026.

Anthropic: https://platform.claude.com/docs/en/about-claude/pricing (Opus 5.5 also in its models/opus-5-5/overview).
OpenAI: https://developers.openai.com/api/docs/pricing (above 272,000 tokens GPT-5.5 costs more, all of the call).
Google: https://ai.google.dev/gemini-api/docs/pricing (3.8 Flash: introductory, through 31 December 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Published:
    """Prices of one model; ``above`` so many tokens of input the second ones hold."""

    input: str
    cache_read: str
    output: str
    cache_write: str = "0"
    above: int = 10**9
    then: tuple[str, str, str] = ("0", "0", "0")


SONNET_4_5 = Published("3", "0.30", "15", "3.75", 200_000, ("6", "0.60", "22.50"))
GPT_5_5 = Published("5", "0.50", "30", above=272_000, then=("10", "1", "45"))
PUBLISHED = {
    "claude-haiku-4-5-20251001": Published("1", "0.10", "5", "1.25"),
    "claude-sonnet-4-5-20250929": SONNET_4_5,
    "claude-opus-5-5": Published("4", "0.20", "20", "5"),
    "gpt-5.1-codex": Published("1.25", "0.125", "10"),
    "gpt-5.5": GPT_5_5,
    "gemini-2.5-flash": Published("0.30", "0.03", "2.50"),
    "gemini-2.5-flash-lite": Published("0.10", "0.01", "0.40"),
    "gemini-3.5-flash-lite": Published("0.30", "0.03", "2.50"),
    "gemini-3.8-flash": Published("0.75", "0.075", "3.75"),
}


def cost(model: str, tokens: dict[str, Any]) -> Decimal:
    """What calls with those tokens cost, in a truth file's words; of one call only, where there is a second price."""
    prices, of = PUBLISHED[model], {kind: int(tokens.get(kind) or 0) for kind in KINDS}
    whole = sum(of.values()) - of["output"]
    reads = (prices.input, prices.cache_read, prices.output)
    fresh, cached, written = map(Decimal, prices.then if whole > prices.above else reads)
    assert whole <= prices.above or not of["cache_write_5m"]
    spent = (of["input_uncached"] + of["tool_prompt"]) * fresh + of["cache_read"] * cached + of["output"] * written
    return (spent + of["cache_write_5m"] * Decimal(prices.cache_write)) / 10**6


KINDS = ("input_uncached", "tool_prompt", "cache_read", "cache_write_5m", "output")
