"""One shape for what three CLIs send: which attribute says what. This is the one place where that stands.

Rules are applied in order, each to records that lack its attribute. Seen in Claude Code 2.0.76 and 2.1.330, Codex CLI
0.80.0 and 0.169.0, Gemini CLI 0.21.3 and 0.61.0. What needs other records, or prices, is in ``traces.py`` and
``costs.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from aimond.forward import mapping as m
from aimond.forward.mapping import CLAUDE, CODEX, GEMINI, Context, How, Rule

Having = tuple[tuple[str, str], ...]

LLM: Final[Having] = ((m.KIND, "^LLM$"),)
CONTEXTS: Final[tuple[Context, ...]] = ("span", "log", "datapoint")
RECORDS: Final[tuple[Context, ...]] = ("span", "log")

REQUEST: Final = ("claude_code.llm_request",)
API_REQUEST: Final = ("api_request",)
RESPONSE: Final = ("gemini_cli.api_response",)
TURN: Final = ("session_task.turn",)
SSE: Final = ("codex.sse_event",)
# ``response.completed`` comes twice, of which one has tokens; with none at all it is the warm-up of a WebSocket.
COMPLETED: Final[Having] = (("event.kind", "^response.completed$"), ("input_token_count", "[1-9]"))
USAGE_SPAN: Final[Having] = ((m.INPUT, ""), ("codex.usage.total_tokens", "[1-9]"))
TOOL_SPAN: Final[Having] = (("tool_name", ""), ("call_id", ""), ("tool_source", ""))


def _kind(
    cli: str, context: Context, kind: str, operation: str, names: tuple[str, ...] = (), having: Having = ()
) -> Iterator[Rule]:
    yield Rule(cli, context, m.KIND, How.SET, names=names, having=having, constant=kind)
    replace = cli == GEMINI and context == "span"  # natively the span's own name, which is no value of the convention
    yield Rule(cli, context, m.OPERATION, How.SET, names=names, having=having, constant=operation, replace=replace)


def _tool(
    cli: str, context: Context, name: str, call: str, names: tuple[str, ...] = (), having: Having = ()
) -> Iterator[Rule]:
    for source, targets in ((name, ("gen_ai.tool.name", "tool.name")), (call, ("gen_ai.tool.call.id", "tool.id"))):
        for target in targets if source else ():
            yield Rule(cli, context, target, How.COPY, (source,), names, having)


def _usage(
    cli: str, context: Context, names: tuple[str, ...], of: Mapping[str, tuple[str, ...]], having: Having = ()
) -> Iterator[Rule]:
    for target, sources in of.items():
        yield Rule(cli, context, target, How.SUM if len(sources) > 1 else How.WHOLE, sources, names, having)


def _mirror(context: Context, copies: Iterable[tuple[str, str]]) -> Iterator[Rule]:
    for target, source in copies:
        yield Rule("", context, target, How.COPY, (source,), having=LLM)
    yield Rule("", context, "llm.token_count.total", How.SUM, (m.INPUT, m.OUTPUT), having=LLM)


_CLAUDE_USAGE: Final = {
    m.CACHE_READ: ("cache_read_tokens",),
    m.CACHE_WRITE: ("cache_creation_tokens",),
    m.INPUT: ("input_tokens", "cache_read_tokens", "cache_creation_tokens"),  # Anthropic's is without the cache
    m.OUTPUT: ("output_tokens",),
}
_CODEX_USAGE: Final = {
    m.CACHE_READ: ("cached_token_count",),
    m.CACHE_WRITE: ("cache_write_token_count",),
    m.REASONING: ("reasoning_token_count",),
    m.INPUT: ("input_token_count",),
    m.OUTPUT: ("output_token_count",),
}
_GEMINI_USAGE: Final = {
    m.CACHE_READ: ("cached_content_token_count",),
    m.REASONING: ("thoughts_token_count",),
    m.INPUT: ("input_token_count",),
    m.OUTPUT: ("output_token_count", "thoughts_token_count"),  # Google's output is without the thoughts
}
# The same under the names of OpenInference, and under those that are no longer the convention's.
_MIRRORED: Final = (
    ("llm.model_name", m.MODEL),
    ("llm.provider", m.PROVIDER),
    ("llm.token_count.prompt", m.INPUT),
    ("llm.token_count.completion", m.OUTPUT),
    ("llm.token_count.prompt_details.cache_read", m.CACHE_READ),
    ("llm.token_count.prompt_details.cache_write", m.CACHE_WRITE),
    ("llm.token_count.completion_details.reasoning", m.REASONING),
    ("gen_ai.usage.cache_creation.input_tokens", m.CACHE_WRITE),
    ("gen_ai.system", m.PROVIDER),
)

RULES: Final[tuple[Rule, ...]] = (
    # -- who, and which session
    *(Rule(cli, each, "gen_ai.agent.name", How.SET, constant=cli) for cli in m.SCOPES for each in CONTEXTS),
    # ``thread.id`` of most spans is the number of an operating system's thread.
    Rule(CODEX, "span", m.SESSION, How.TEXT, ("conversation.id", "thread.id", "thread_id")),
    Rule(CODEX, "spanevent", m.SESSION, How.TEXT, ("conversation.id",)),
    Rule(CODEX, "log", m.SESSION, How.TEXT, ("conversation.id",)),
    Rule(GEMINI, "span", m.SESSION, How.TEXT, (m.CONVERSATION,)),
    *(Rule("", each, m.CONVERSATION, How.TEXT, (m.SESSION,)) for each in RECORDS),
    # -- kinds and operations; a log record of kind LLM stands for one call
    *_kind(CLAUDE, "span", "AGENT", "invoke_agent", ("claude_code.interaction",)),
    *_kind(CLAUDE, "span", "LLM", "chat", REQUEST),
    *_kind(CLAUDE, "span", "TOOL", "execute_tool", ("claude_code.tool",)),
    *_kind(CLAUDE, "log", "LLM", "chat", API_REQUEST),
    *_kind(CODEX, "span", "AGENT", "invoke_agent", TURN),
    *_kind(CODEX, "span", "LLM", "chat", having=USAGE_SPAN),
    *_kind(CODEX, "span", "TOOL", "execute_tool", having=TOOL_SPAN),
    *_kind(CODEX, "log", "LLM", "chat", SSE, COMPLETED),
    *_kind(GEMINI, "span", "LLM", "generate_content", ("llm_call",)),
    *_kind(GEMINI, "span", "TOOL", "execute_tool", ("tool_call",)),
    *_kind(GEMINI, "span", "AGENT", "invoke_agent", ("user_prompt", "agent_call")),
    *_kind(GEMINI, "log", "LLM", "generate_content", RESPONSE),
    *(Rule(cli, "span", m.KIND, How.SET, constant="CHAIN") for cli in m.SCOPES),
    # -- models, and who makes them
    *(Rule(cli, each, m.MODEL, How.TEXT, ("model",)) for cli in (CLAUDE, CODEX) for each in CONTEXTS),
    Rule(CODEX, "spanevent", m.MODEL, How.TEXT, ("model",)),  # of each attempt of a call, the failed ones too
    *(Rule(GEMINI, each, m.MODEL, How.TEXT, ("model", "model_name")) for each in CONTEXTS),
    *(
        Rule(GEMINI, each, m.PROVIDER, How.SET, having=(("auth_type", "^vertex-ai$"),), constant="gcp.vertex_ai")
        for each in CONTEXTS
    ),
    *(
        Rule(cli, each, m.PROVIDER, How.SET, having=((m.MODEL, ""),), constant=provider)
        for cli, provider in m.PROVIDERS.items()
        for each in CONTEXTS
    ),
    Rule(CODEX, "span", m.PROVIDER, How.SET, having=LLM, constant=m.PROVIDERS[CODEX]),
    # -- tokens, of calls only: sums of turns would count twice
    *_usage(CLAUDE, "span", REQUEST, _CLAUDE_USAGE),
    *_usage(CLAUDE, "log", API_REQUEST, _CLAUDE_USAGE),
    *_usage(CODEX, "span", (), {m.REASONING: ("codex.usage.reasoning_output_tokens",)}),
    *_usage(CODEX, "log", SSE, _CODEX_USAGE, COMPLETED),
    *_usage(GEMINI, "log", RESPONSE, _GEMINI_USAGE),
    # -- money, where the CLI says it
    Rule(CLAUDE, "log", m.COST, How.REAL, ("cost_usd",), API_REQUEST),
    Rule(CLAUDE, "log", m.TOTAL_COST, How.REAL, ("cost_usd",), API_REQUEST),
    Rule(CLAUDE, "log", m.ESTIMATED, How.SET, names=API_REQUEST, having=((m.COST, ""),), constant=False),
    # -- tools, and their own classes of errors
    *_tool(CLAUDE, "span", "tool_name", "tool_use_id", ("claude_code.tool",)),
    *_tool(CLAUDE, "log", "tool_name", "tool_use_id", ("tool_decision", "tool_result")),
    *_tool(CODEX, "span", "tool_name", "call_id", (), TOOL_SPAN),
    *_tool(CODEX, "log", "tool_name", "call_id", ("codex.tool_decision", "codex.tool_result")),
    *_tool(GEMINI, "span", "gen_ai.tool.name", "gen_ai.tool.call_id", ("tool_call",)),
    *_tool(GEMINI, "log", "function_name", "", ("gemini_cli.tool_call",)),
    Rule(GEMINI, "datapoint", "gen_ai.tool.name", How.TEXT, ("function_name",)),
    Rule(GEMINI, "log", "gen_ai.tool.type", How.TEXT, ("tool_type",), ("gemini_cli.tool_call",)),
    Rule(CLAUDE, "log", m.ERROR, How.TEXT, ("error_type",), ("tool_result",)),
    Rule(GEMINI, "log", m.ERROR, How.TEXT, ("error_type",), ("gemini_cli.tool_call",)),
    *(rule for each in RECORDS for rule in _mirror(each, _MIRRORED)),
)
