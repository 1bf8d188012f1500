"""Claude Code's log records and spans as events. Seen in 2.0.76, 2.1.100, 2.1.200 and 2.1.330.

Tokens and cost are counted from ``api_request``: ``llm_request`` spans tell of the same calls, and so do the metrics,
but for a stream that was cut with Esc, which stands in the metrics alone (2.1.330).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from aimond.agents.agent import SOURCES, dollars, error_class, error_text, micros, word
from aimond.agents.claude_code.metering import COST_USED, FAST, TOKENS_USED, measured, provider_of, usage_of
from aimond.core import event as ev
from aimond.otlp.record import Record

NAME: Final = "claude-code"
TITLE: Final = "Claude Code"

# ``query_source`` of the conversation itself (2.1.200): a terminal, or -p. All others are helpers and sub-agents.
MAIN: Final = {"repl_main_thread": True, "sdk": False}
LEAVES: Final = {"exit": "ended", "quit": "ended", "clear": "replaced"}
REFUSED_BY_USER: Final = ("user_reject", "user_abort")
BY_RULE: Final = "config"  # others answer a question: ``user_temporary``, ``user_permanent``, ``user_reject``, ``hook``
QUESTIONS: Final = "AskUserQuestion"
ABORTED: Final = "Request was aborted."  # 2.0.76 logs Esc as an api_error
WAKE_UP: Final = "<task-notification>"


def events(record: Record, pid: int) -> Iterable[ev.Event]:
    """What one record says. Records without ``session.id`` say nothing that could be told apart."""
    read = READERS.get(record.name)
    session = word(record.attributes, "session.id") if read else ""
    if not session or read is None:
        return ()
    common = {
        "agent": NAME,
        "session": session,
        "at": record.at,
        "source": SOURCES[record.signal],
        "record": record.name,
        "pid": pid,
    }
    return read(record, common)


def _key(record: Record, *more: str) -> str:
    """The same record delivered again. ``event.sequence`` restarts with the process; 2.0.76 has none."""
    return ":".join((record.name, str(record.at), record.attributes.text("event.sequence"), *more))


def _sub_agent(record: Record) -> str:
    return word(record.attributes, "agent_id")


def kind_of(tool: str) -> str:
    """What the user is asked when that tool asks him."""
    return "question" if tool == QUESTIONS else "permission"


# -- log records ------------------------------------------------------------------------------------


def _startup(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    # With --continue these carry an id that nothing else will ever use: they show no session.
    yield ev.SessionDetail(**common, title=TITLE, version=word(record.resource, "service.version"))


def _session_count(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """One metric per process. ``start_type`` "continue" comes under the throw-away id; 2.0.76 has the metric in
    terminals only, and nothing else there tells those from -p."""
    version = word(record.resource, "service.version")
    shows = record.attributes.text("start_type") in ("fresh", "resume")
    asks = True if version.startswith("2.0.") else None
    yield ev.SessionDetail(**common, title=TITLE, version=version, shows=shows, asks=asks)


def _user_prompt(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, title=TITLE, version=word(record.resource, "service.version"), shows=True)
    command = record.attributes.text("command_name")
    if command in LEAVES:
        yield ev.SessionEnded(**common, key=_key(record), reason=LEAVES[command])
    elif not command:
        yield ev.PromptSubmitted(
            **common,
            key=_key(record),
            turn=word(record.attributes, "prompt.id"),
            trace=record.trace,
            synthetic=record.attributes.text("prompt").startswith(WAKE_UP),
        )


def _api_request(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    source, model, by = attributes.text("query_source"), word(attributes, "model"), _sub_agent(record)
    main = (source in MAIN and not by) if source else None
    if not source and "haiku" not in model:
        # 2.0.76 tells helpers from the conversation by nothing but their model.
        yield ev.SessionDetail(**common, main_model=model)
    if by:
        yield ev.BackgroundStarted(**common, task=by)
    yield ev.ModelCallFinished(
        **common,
        key=_key(record, model, attributes.text("request_id")),
        model=model,
        main=main,
        asks=MAIN.get(source),
        started=record.at - micros(attributes, "duration_ms"),
        cost=dollars(attributes, "cost_usd"),
        usage=usage_of(record),
        provider=provider_of(record),
        fast=attributes.text("speed") == FAST,
    )


def _api_error(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """One per call that is given up; the retries before it are silent."""
    attributes = record.attributes
    status, source = attributes.integer("status_code"), attributes.text("query_source")
    main = (source in MAIN and not _sub_agent(record)) if source else None
    aborted = attributes.text("error") == ABORTED
    yield ev.ModelCallFailed(
        **common,
        key=_key(record),
        model=word(attributes, "model"),
        main=main,
        error_class=error_class(status),
        message=error_text(status),
        final=True,
        aborted=aborted,
    )
    if aborted:
        yield ev.TurnFinished(**common, outcome=ev.Outcome.INTERRUPTED, weak=True)


def _tool_decision(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    call, name = word(attributes, "tool_use_id"), word(attributes, "tool_name")
    asked = attributes.text("source") != BY_RULE if "source" in attributes else None
    if by := _sub_agent(record):
        yield ev.BackgroundStarted(**common, task=by)
        if asked:
            yield ev.QuestionAnswered(**common, name=name, by=by)
        return
    if attributes.text("decision") == "accept":
        yield ev.ToolStarted(**common, key=_key(record, call), call=call, name=name, asked=asked)
        return
    yield ev.ToolFinished(
        **common, key=_key(record, call), call=call or f"{name}@{record.at}", name=name, started=record.at
    )
    if attributes.text("source") in REFUSED_BY_USER:
        yield ev.TurnFinished(**common, outcome=ev.Outcome.INTERRUPTED, weak=True)


def _tool_result(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    if _sub_agent(record):
        return
    call = word(record.attributes, "tool_use_id")
    started = record.at - micros(record.attributes, "duration_ms")
    name = word(record.attributes, "tool_name")
    yield ev.ToolFinished(**common, key=_key(record, call), call=call, name=name, started=started)


def _subagent_completed(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    wakes = record.attributes.flag("is_async") is True
    yield ev.BackgroundFinished(**common, task=_sub_agent(record), wakes=wakes)


def _hook_ran(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Any hook of the user's is in the logs too (2.1.330): Stop marks the end of a turn, PermissionRequest a wait."""
    event, by = record.attributes.text("hook_event"), _sub_agent(record)
    if event == "Stop" and not by:
        yield ev.TurnFinished(**common, outcome=ev.Outcome.COMPLETED, weak=True)
    elif event == "PermissionRequest":
        tool = word(record.attributes, "hook_name").partition(":")[2]  # "PermissionRequest:Bash"
        tool = tool if tool.replace("_", "").replace("-", "").isalnum() else ""
        yield ev.WaitStarted(**common, kind=kind_of(tool), tool=tool, only=tool, by=by)


# -- spans ------------------------------------------------------------------------------------------


def _interaction(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """One per prompt, slash commands too; done, failed and cut turns look alike."""
    yield ev.TurnFinished(**common, started=record.start, claim=record.span)


def _llm_request(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    source = record.attributes.text("query_source_safe") or record.attributes.text("query_source")
    if by := _sub_agent(record):
        yield ev.BackgroundStarted(**common, task=by)
        return
    if record.error or (source and source not in MAIN):
        return
    yield ev.ModelCallFinished(
        **common,
        key=record.span,
        model=word(record.attributes, "model"),
        started=record.start,
        told=usage_of(record) or None,
        ends=False if record.attributes.text("stop_reason") == "tool_use" else None,
    )


def _tool_span(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    if by := _sub_agent(record):
        yield ev.BackgroundStarted(**common, task=by)
        return
    call = word(record.attributes, "tool_use_id") or record.span
    name = word(record.attributes, "tool_name")
    yield ev.ToolFinished(**common, key=record.span, call=call, name=name, started=record.start)


READERS: Final[dict[str, Callable[[Record, dict[str, Any]], Iterator[ev.Event]]]] = {
    "managed_settings_resolved": _startup,
    "claude_code.session.count": _session_count,
    TOKENS_USED: measured,
    COST_USED: measured,
    "user_prompt": _user_prompt,
    "api_request": _api_request,
    "api_error": _api_error,
    "tool_decision": _tool_decision,
    "tool_result": _tool_result,
    "subagent_completed": _subagent_completed,
    "hook_execution_start": _hook_ran,
    "claude_code.interaction": _interaction,
    "claude_code.llm_request": _llm_request,
    "claude_code.tool": _tool_span,
}
