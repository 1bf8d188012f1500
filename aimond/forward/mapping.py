"""The words of ``rules.py``: names of attributes, and what a rule is.

Rules are data: ``normalize.py`` applies them, ``ottl.py`` writes them as statements for Grafana Alloy and the
OpenTelemetry Collector.

Seen in Claude Code 2.0.76 and 2.1.330, Codex CLI 0.80.0 and 0.169.0, Gemini CLI 0.21.3 and 0.61.0. Names are those of
semantic-conventions-genai (October 2026, all "Development") and OpenInference (August 2026), with the older ones that
are still asked for (``gen_ai.system``, ``cache_creation``). ``gen_ai.usage.cost_usd`` and ``cost.estimated`` are ours:
no convention has a price."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from msgspec import Struct

Context = Literal["spanevent", "span", "log", "datapoint"]  # an event's rules add to its span

CLAUDE: Final = "claude-code"
CODEX: Final = "codex"
GEMINI: Final = "gemini-cli"
# A record's CLI is told by its scope, as in ``agents/``: users change ``service.name``.
SCOPES: Final = {CLAUDE: ("com.anthropic.claude_code",), CODEX: ("codex",), GEMINI: ("gemini-cli", "gemini_cli")}
PROVIDERS: Final = {CLAUDE: "anthropic", CODEX: "openai", GEMINI: "gcp.gemini"}

KIND: Final = "openinference.span.kind"
SESSION: Final = "session.id"
CONVERSATION: Final = "gen_ai.conversation.id"
PROVIDER: Final = "gen_ai.provider.name"
OPERATION: Final = "gen_ai.operation.name"
MODEL: Final = "gen_ai.request.model"
INPUT: Final = "gen_ai.usage.input_tokens"
OUTPUT: Final = "gen_ai.usage.output_tokens"
CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
COST: Final = "gen_ai.usage.cost_usd"
TOTAL_COST: Final = "llm.cost.total"
ESTIMATED: Final = "cost.estimated"
ERROR: Final = "error.type"
NATIVE_ERROR: Final = "error.native_type"


class How(Enum):
    """What becomes of the sources: the first that is there, as it is, as it is if that is text, as a whole number, as a
    real one; their sum, if the first is there (text counts as the number it is); or none, but the ``constant``."""

    COPY = "copy"
    TEXT = "text"
    WHOLE = "whole"
    REAL = "real"
    SUM = "sum"
    SET = "set"


class Rule(Struct, frozen=True):
    """Adds ``target`` to records of ``cli`` ("": of all three) and, if there are ``names``, of those names, that have
    all the attributes ``having``, with text that such a pattern finds. ``replace``: what is there is replaced."""

    cli: str
    context: Context
    target: str
    how: How
    sources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    having: tuple[tuple[str, str], ...] = ()
    constant: str | bool = ""
    replace: bool = False
