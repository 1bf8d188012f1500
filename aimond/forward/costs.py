"""What calls cost, and what a call's log says that its span does not.

Prices come from whoever knows them; the CLI's own word goes before a table's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from aimond.core.usage import Usage
from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.lately import Lately

# USD for a call of that provider (in genai-prices' names) and model, with that usage, at that time (µs since the
# epoch), fast mode or not; None: unknown.
Price = Callable[[str, str, Usage, int, bool], Decimal | None]

PRICED_AS: Final = {"gcp.gemini": "google", "gcp.vertex_ai": "google", "gcp.gen_ai": "google"}
# Gemini's tool-use prompt is in none of its counts (Codex has a sum of all under the same name).
WRITE_1H: Final = "cache_creation_1h_tokens"  # Claude Code's log alone tells them apart
TOOL_PROMPT: Final = "tool_token_count"
TOKENS: Final = (m.INPUT, m.OUTPUT, m.CACHE_READ, m.CACHE_WRITE, m.REASONING, TOOL_PROMPT)

CALLS: Final = 1024
NEAR: Final = 1_000_000_000  # ns between the end of Gemini's span and its log record: 0.3 s at most (0.61.0)


class _Call(Struct):
    session: str
    model: str
    ended: int
    tokens: dict[str, int]


class Costs:
    """The calls that were told of lately, and their prices."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._reported: Lately[tuple[str, str], float] = Lately(CALLS)  # by session and request
        self._calls: Lately[bytes | int, _Call] = Lately(CALLS)
        self._number = 0

    def learn(self, cli: str, log: Any, attributes: Attributes) -> None:
        """A log record of a call: Claude Code's says the price, and Gemini CLI's alone has the tokens."""
        if attributes.get(m.KIND) != "LLM":
            return
        cost, request = attributes.number(m.COST), attributes.text("request_id")
        if cost is not None and request:
            self._reported.put((attributes.text(m.SESSION), request), float(cost))
        if cli == m.GEMINI:
            tokens = {key: count for key in TOKENS if (count := attributes.whole(key)) is not None}
            self._number += 1
            call = _Call(attributes.text(m.SESSION), attributes.text(m.MODEL), log.time_unix_nano, tokens)
            self._calls.put(self._number, call)

    def complete(self, cli: str, span: Any, attributes: Attributes) -> None:
        """Add to the span of a call what its log said."""
        if attributes.get(m.KIND) != "LLM":
            return
        reported = self._reported.get((attributes.text(m.SESSION), attributes.text("request_id")))
        if reported is not None and m.COST not in attributes:
            _say(attributes, reported, estimated=False)
        if cli == m.GEMINI and m.INPUT not in attributes and m.ERROR not in attributes:
            session, model, end = attributes.text(m.SESSION), attributes.text(m.MODEL), span.end_time_unix_nano
            near = [
                (abs(call.ended - end), number)
                for number, call in self._calls.items()
                if (call.session, call.model) == (session, model) and abs(call.ended - end) < NEAR
            ]
            call = self._calls.pop(min(near)[1]) if near else None
            for key, count in call.tokens.items() if call else ():
                if key != TOOL_PROMPT or count:
                    attributes.set(key, count)

    def add(self, attributes: Attributes, at: int) -> None:
        """Add the price of a call that has none, if it is known."""
        if attributes.get(m.KIND) != "LLM" or m.INPUT not in attributes or m.COST in attributes:
            return
        provider, fast = attributes.text(m.PROVIDER), attributes.get("speed") == "fast"
        model = attributes.text(m.MODEL)
        cost = self._price(PRICED_AS.get(provider, provider), model, usage(attributes), at, fast) if model else None
        if cost is not None:
            _say(attributes, float(cost), estimated=True)


def usage(attributes: Attributes) -> Usage:
    """The tokens of a call as they are billed."""

    def count(key: str) -> int:
        return max(0, attributes.whole(key) or 0)

    read, written = count(m.CACHE_READ), count(m.CACHE_WRITE)
    return Usage(
        input=max(0, count(m.INPUT) - read - written),
        cache_read=read,
        cache_write=written,
        tool_prompt=count(TOOL_PROMPT) if attributes.text(m.PROVIDER).startswith("gcp.") else 0,
        output=count(m.OUTPUT),
        reasoning=count(m.REASONING),
        cache_write_1h=count(WRITE_1H),
    )


def _say(attributes: Attributes, cost: float, *, estimated: bool) -> None:
    attributes.set(m.COST, cost)
    attributes.set(m.TOTAL_COST, cost)
    attributes.set(m.ESTIMATED, estimated)
