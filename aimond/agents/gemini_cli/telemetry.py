"""Gemini CLI's log records and spans as events. Seen in 0.21.3 and 0.61.0.

The record's own ``session.id`` is the session; the resource's is stale after /clear, and a phantom's in 0.21.3.
Tokens are counted from ``gemini_cli.api_response`` alone: the same ones come in four other places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from aimond.agents.agent import SOURCES, count, error_class, error_text, micros, word
from aimond.agents.payload import clean
from aimond.core import event as ev
from aimond.core.usage import Usage
from aimond.otlp.record import Record

NAME: Final = "gemini-cli"
TITLE: Final = "Gemini CLI"
PROVIDER: Final = "google"

# ``role`` of a call (0.61.0; absent in 0.21.3): the conversation and its sub-agents. All others are helpers.
MAIN_ROLES: Final = ("main", "subagent")
# Tried once; all others up to ten times, minutes apart (0.61.0).
FINAL_STATUS: Final = (400, 401, 403, 404)
ABORTED: Final = "aborted"
NO_TOOLS: Final = "[]"  # are what the router and other helpers are given, and only they (0.61.0)
# ``notification_type`` of hooks, the only one there is (0.61.0).
ASKS: Final = "ToolPermission"
LONGEST_INPUT: Final = 2**18
# In ``response_text``, which is only there while ``logPrompts`` is on (its default); nothing else of it is looked at.
CALLS_A_TOOL: Final = '"functionCall"'


def events(record: Record, pid: int) -> Iterator[ev.Event]:
    """What one record says."""
    key = "gen_ai.conversation.id" if record.signal == "traces" else "session.id"
    read = READERS.get(record.name)
    session = word(record.attributes, key) if read else ""
    if not session or read is None:
        return
    common = {
        "agent": NAME,
        "session": session,
        "at": record.at,
        "source": SOURCES[record.signal],
        "record": record.name,
        "pid": pid,
    }
    yield from read(record, common)


def _key(record: Record, *more: str) -> str:
    return ":".join((record.name, str(record.at), *more))


def _main(record: Record) -> bool | None:
    role = record.attributes.text("role")
    return role in MAIN_ROLES if role else None


# -- log records ------------------------------------------------------------------------------------


def _config(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    attributes = record.attributes
    asks = attributes.flag("interactive") is not False and attributes.text("approval_mode") != "yolo"
    yield ev.SessionDetail(**common, title=TITLE, host=word(record.resource, "host.name"), asks=asks, shows=True)


def _approval_mode(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, asks=record.attributes.text("to_mode") != "yolo")


def _user_prompt(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    # prompt_id begins anew in a resumed process, and is the session's own id in -p (0.61.0): no id of a turn.
    yield ev.SessionDetail(**common, title=TITLE, shows=True)
    yield ev.PromptSubmitted(**common, key=_key(record), trace=record.trace)


def _model_routing(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.SessionDetail(**common, main_model=word(record.attributes, "decision_model"))


def _api_request(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    yield ev.ModelCallStarted(**common, model=word(record.attributes, "model"), main=_main(record))


def _api_response(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Thoughts are not in the output's count, the cache is in the input's, the tool-use prompt is in neither."""
    attributes = record.attributes
    model, thoughts = word(attributes, "model"), count(attributes, "thoughts_token_count")
    cached = count(attributes, "cached_content_token_count")
    whole, output = count(attributes, "input_token_count"), count(attributes, "output_token_count")
    answer = attributes.text("response_text")
    yield ev.ModelCallFinished(
        **common,
        key=_key(record, model, str(whole), str(output)),
        model=model,
        main=_main(record),
        started=record.at - micros(attributes, "duration_ms"),
        ends=(CALLS_A_TOOL not in answer) if answer else None,
        provider=PROVIDER,
        usage=Usage(
            input=max(0, whole - cached),
            cache_read=cached,
            tool_prompt=count(attributes, "tool_token_count"),
            output=output + thoughts,
            reasoning=thoughts,
        ),
    )


def _api_error(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """One per attempt. 0.21.3 logs Esc as an AbortError."""
    attributes = record.attributes
    status = attributes.integer("status_code")
    aborted = attributes.text("error.type") == "AbortError" or attributes.text("error_type") == "AbortError"
    yield ev.ModelCallFailed(
        **common,
        key=_key(record, word(attributes, "model")),
        model=word(attributes, "model"),
        main=_main(record),
        error_class=error_class(status),
        message=error_text(status),
        final=aborted or status in FINAL_STATUS,
        aborted=aborted,
    )
    if aborted:
        yield ev.TurnFinished(**common, outcome=ev.Outcome.INTERRUPTED, weak=True)


def _tool_call(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Logged when the tool has ended; its duration includes the wait for approval."""
    attributes = record.attributes
    name = word(attributes, "function_name")
    started = record.at - micros(attributes, "duration_ms")
    yield ev.ToolFinished(**common, key=_key(record, name), name=name, started=started)
    if attributes.text("decision") == "reject":
        yield ev.TurnFinished(**common, outcome=ev.Outcome.INTERRUPTED, weak=True)


def _conversation_finished(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Only in yolo mode, and after slash commands too (0.61.0)."""
    yield ev.TurnFinished(**common, weak=True)


def _approval_mode_over(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """The last record of a -p run that came to its end (0.61.0); in a terminal it says nothing of turns."""
    if record.attributes.flag("interactive") is False:
        yield ev.TurnFinished(**common, weak=True)


def _slash_command(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    command = record.attributes.text("command")
    if command == "quit":
        yield ev.SessionEnded(**common)
    else:  # /clear stands under the new id already
        yield ev.SessionDetail(**common, title=TITLE, shows=True)


def _hook_call(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """Any hook of the user's, told when it has run, with what it was given where ``logPrompts`` is on."""
    attributes = record.attributes
    event, given = attributes.text("hook_event_name"), attributes.text("hook_input")
    if event not in ("Notification", "AfterAgent") or len(given) > LONGEST_INPUT:
        return
    common["at"] = record.at - micros(attributes, "duration_ms")
    said = _object(given)
    if event == "AfterAgent":
        if said.get("transcript_path"):  # 0.21.3 calls it after every model call, and has none
            yield ev.TurnFinished(**common, weak=True)
    elif said.get("notification_type", ASKS) == ASKS:
        details = said.get("details")
        kind = details.get("type") if isinstance(details, dict) else ""
        yield ev.WaitStarted(**common, tool=clean(kind) if isinstance(kind, str) else "")


def _object(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


# -- spans (0.32.0 and newer) -----------------------------------------------------------------------


def _step(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    """A step that scheduled no tools was the turn's last. Slash commands make such spans too: those begin no turn."""
    started = record.start if record.name == "user_prompt" else 0
    yield ev.TurnFinished(**common, started=started, claim=record.span)


def _tools_scheduled(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    if record.parent:
        yield ev.TurnGoesOn(**common, claim=record.parent)


def _llm_call(record: Record, common: dict[str, Any]) -> Iterator[ev.Event]:
    model = word(record.attributes, "gen_ai.request.model")
    main = False if record.attributes.text("gen_ai.tool.definitions") == NO_TOOLS else None
    if not record.error:
        yield ev.ModelCallFinished(**common, key=record.span, model=model, started=record.start, main=main)
    elif ABORTED in record.status:
        yield ev.ModelCallFailed(**common, key=record.span, model=model, main=main, final=True, aborted=True)


READERS: Final[dict[str, Callable[[Record, dict[str, Any]], Iterator[ev.Event]]]] = {
    "gemini_cli.config": _config,
    "gemini_cli.plan.approval_mode_switch": _approval_mode,
    "gemini_cli.plan.approval_mode_duration": _approval_mode_over,
    "gemini_cli.user_prompt": _user_prompt,
    "gemini_cli.model_routing": _model_routing,
    "gemini_cli.api_request": _api_request,
    "gemini_cli.api_response": _api_response,
    "gemini_cli.api_error": _api_error,
    "gemini_cli.tool_call": _tool_call,
    "gemini_cli.conversation_finished": _conversation_finished,
    "gemini_cli.slash_command": _slash_command,
    "gemini_cli.hook_call": _hook_call,
    "user_prompt": _step,
    "system_prompt": _step,
    "schedule_tool_calls": _tools_scheduled,
    "llm_call": _llm_call,
}
SPANS: Final = frozenset({"user_prompt", "system_prompt", "schedule_tool_calls", "llm_call"})
