"""Spans of the GenAI semantic conventions as events (semantic-conventions-genai, October 2026; all of it
"Development").

The agent is named for its ``service.name``. A span tells of its work when that is over, so such a session is seen to
work only between its calls; without ``invoke_agent`` nothing tells the end of a turn but silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from aimond.agents.agent import count, error_class, error_text, word
from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.usage import Usage
from aimond.otlp.record import Record

# Where a session's id may stand, best first.
SESSION_IDS: Final = ("gen_ai.conversation.id", "session.id")


def events(record: Record, pid: int) -> Iterator[ev.Event]:
    """What one span says, if it is of these conventions and names its conversation."""
    read = READERS.get(record.attributes.text("gen_ai.operation.name"))
    session = next((word(record.attributes, key) for key in SESSION_IDS if key in record.attributes), "")
    agent = word(record.resource, "service.name", 64).lower().replace(" ", "-")
    if read is None or not session or not agent or record.signal != "traces":
        return
    common: dict[str, Any] = {
        "agent": agent,
        "session": session,
        "at": record.at,
        "source": Source.SPAN,
        "record": record.name[:64],
        "pid": pid,
    }
    title = word(record.attributes, "gen_ai.agent.name") or word(record.resource, "service.name")
    version = word(record.resource, "service.version")
    yield ev.SessionDetail(**common, title=title, version=version, host=word(record.resource, "host.name"))
    yield from read(record, common)


def _invoke_agent(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    outcome = ev.Outcome.FAILED if record.error else ev.Outcome.COMPLETED
    yield ev.PromptSubmitted(**{**common, "at": record.start}, key=f"prompt:{record.span}", trace=record.trace)
    yield ev.TurnFinished(**common, outcome=outcome, started=record.start, claim=record.span)


def _model_call(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    model = word(attributes, "gen_ai.response.model") or word(attributes, "gen_ai.request.model")
    if record.error:
        status = attributes.integer("http.response.status_code")
        yield ev.ModelCallFailed(
            **common,
            key=record.span,
            model=model,
            error_class=error_class(status),
            message=error_text(status),
        )
        return
    read = count(attributes, "gen_ai.usage.cache_read.input_tokens")
    written = count(attributes, "gen_ai.usage.cache_write.input_tokens") or count(
        attributes, "gen_ai.usage.cache_creation.input_tokens"
    )
    whole = count(attributes, "gen_ai.usage.input_tokens") or count(attributes, "gen_ai.usage.prompt_tokens")
    output = count(attributes, "gen_ai.usage.output_tokens") or count(attributes, "gen_ai.usage.completion_tokens")
    yield ev.ModelCallFinished(
        **common,
        key=record.span,
        model=model,
        started=record.start,
        provider=word(attributes, "gen_ai.provider.name") or word(attributes, "gen_ai.system"),
        usage=Usage(
            input=max(0, whole - read - written),  # the conventions count the cache as input
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=count(attributes, "gen_ai.usage.reasoning.output_tokens"),
        ),
    )


def _tool(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    call = word(record.attributes, "gen_ai.tool.call.id") or record.span
    name = word(record.attributes, "gen_ai.tool.name")
    yield ev.ToolFinished(**common, key=record.span, call=call, name=name, started=record.start)


READERS: Final[dict[str, Callable[[Record, dict[str, Any]], Iterator[ev.Event]]]] = {
    "invoke_agent": _invoke_agent,
    "chat": _model_call,
    "generate_content": _model_call,
    "text_completion": _model_call,
    "execute_tool": _tool,
}
