"""What Claude Code says of tokens and money: in the records of calls, and in two counters beside them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from aimond.agents.agent import count, word
from aimond.core import event as ev
from aimond.core.measured import COST, key_of
from aimond.core.usage import Usage
from aimond.otlp.record import Record

TOKENS_USED: Final = "claude_code.token.usage"
COST_USED: Final = "claude_code.cost.usage"
TOKEN_TYPES: Final = {"input": "input", "output": "output", "cacheRead": "cache_read", "cacheCreation": "cache_write"}
LARGEST: Final = 10**15  # tokens or dollars that one point may add
# ``anthropic.provider`` (2.1.330), as genai-prices names whom to pay; "firstParty" is Anthropic.
PROVIDER: Final = "anthropic"
RESELLERS: Final = {"bedrock": "aws", "vertex": "google", "foundry": "azure"}
FAST: Final = "fast"  # ``speed``; else "normal"


def provider_of(record: Record) -> str:
    """Who is paid for a call, as genai-prices names it."""
    return RESELLERS.get(record.attributes.text("anthropic.provider"), PROVIDER)


def usage_of(record: Record) -> Usage:
    """The tokens that a record of a call tells of."""
    attributes = record.attributes
    written = count(attributes, "cache_creation_tokens")
    return Usage(
        input=count(attributes, "input_tokens"),
        cache_read=count(attributes, "cache_read_tokens"),
        cache_write=written,
        output=count(attributes, "output_tokens"),
        cache_write_1h=min(written, count(attributes, "cache_creation_1h_tokens")),  # 2.1.330
    )


def measured(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Counters of tokens and dollars by model, deltas unless the user chose otherwise (2.1.330). 2.1.200 writes the
    model with a mark of its long context, ``name[1m]``, here and in spans only."""
    attributes = record.attributes
    kind = COST if record.name == COST_USED else TOKEN_TYPES.get(attributes.text("type"), "")
    series = "|".join(word(attributes, key) for key in ("query_source", "effort", "agent.name", "speed"))
    if not kind or not 0 < record.number < LARGEST:
        return
    model = word(attributes, "model").partition("[")[0]
    amount = Decimal(str(record.number))
    yield ev.UsageMeasured(
        **common,
        key=key_of(kind, model, series, record.start, record.at, amount, record.cumulative),
        model=model,
        provider=provider_of(record),
        kind=kind,
        amount=amount,
        series=series,
        began=record.start,
        cumulative=record.cumulative,
    )
