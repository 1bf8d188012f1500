"""Words that nobody else would say, planted wherever a recording has something private."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from aimond.otlp import protobuf
from aimond.tape import Line, Tape, unpacked
from tests.agents.test_privacy import PRIVATE, PRIVATE_OF_HOOKS

CANARY = "canary"
_PRIVATE = frozenset(PRIVATE.split())
_OF_HOOKS = frozenset(PRIVATE_OF_HOOKS.split())


def canary(key: str) -> str:
    """What stands in place of a private text: address, key and path, so that no rule for one of them hides it."""
    return f"{CANARY}-{key}@example.org sk-{CANARY}-0123456789 /home/{CANARY}/secret"


def planted(tape: Tape) -> Tape:
    """The tape with a canary for each private text; nothing else is another."""
    return replace(tape, lines=[_REPLACE.get(line.kind, lambda line: line)(line) for line in tape.lines])


def _request(line: Line) -> Line:
    body = unpacked(line)
    if "json" in (line.fields.get("content_type") or ""):
        body = json.dumps(_in_json(json.loads(body))).encode()
    else:
        message = protobuf.whole(line.fields["signal"], body)
        _in_message(message)
        body = message.SerializeToString()
    return replace(line, fields={**line.fields, "body": b64encode(body).decode(), "content_encoding": None})


def _hook(line: Line) -> Line:
    return replace(line, fields={**line.fields, "payload": _in_payload(line.fields["payload"])})


_REPLACE = {"otlp": _request, "hook": _hook}


def _in_message(message: Message) -> None:
    for each in _messages(message):
        name = each.DESCRIPTOR.name
        if name == "KeyValue" and each.key in _PRIVATE:
            each.value.Clear()
            each.value.string_value = canary(each.key)
        elif name == "LogRecord" and each.HasField("body"):
            each.body.Clear()
            each.body.string_value = canary("body")
        elif name == "Status" and each.message:
            each.message = canary("status")


def _messages(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type:
            for part in value if field.is_repeated else (value,):
                yield from _messages(part)


def _in_json(node: Any) -> Any:
    if isinstance(node, list):
        return [_in_json(part) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("key") in _PRIVATE:
        return {"key": node["key"], "value": {"stringValue": canary(node["key"])}}
    return {key: {"stringValue": canary(key)} if key == "body" else _in_json(part) for key, part in node.items()}


def _in_payload(payload: dict[str, Any]) -> dict[str, Any]:
    told = dict(payload)
    for key in _OF_HOOKS & told.keys():
        told[key] = {part: canary(part) for part in told[key]} if isinstance(told[key], dict) else canary(key)
    return told
