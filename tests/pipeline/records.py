"""The tapes' requests, and what aimond makes of one by itself."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from aimond.forward import jsonbody
from aimond.forward.own import tell
from aimond.forward.private import leave_out
from aimond.otlp import protobuf
from aimond.otlp.record import Signal
from aimond.sender import shift_message
from aimond.tape import unpacked
from tests.recorded import PATHS, name, tape

NUMBER = "tape.request"  # put into the resource: which request it was
KINDS = {"traces": "resource_spans", "logs": "resource_logs", "metrics": "resource_metrics"}
ITEMS = {
    "traces": ("scope_spans", "spans"),
    "logs": ("scope_logs", "log_records"),
    "metrics": ("scope_metrics", "metrics"),
}
Request = tuple[Signal, Any]
BODIES: dict[str, Any] = {signal: type(protobuf.whole(signal, b"")) for signal in KINDS}


def requests(path: Path) -> list[Request]:
    """All requests of a tape that a receiver takes, as protobuf."""
    found: list[Request] = []
    for line in tape(path).lines:
        batch = tape(path).batch(line) if line.kind == "otlp" else None
        if batch:
            body = unpacked(line)
            is_json = batch.encoding == "json"
            message = BODIES[batch.signal]()
            found.append(
                (batch.signal, jsonbody.into(message, json.loads(body)) if is_json else message.FromString(body))
            )
    return found


def all_requests(paths: Sequence[Path] = PATHS) -> dict[str, list[Request]]:
    """By the tapes' names, each marked with its name and place."""
    marked: dict[str, list[Request]] = {}
    for path in paths:
        marked[name(path)] = requests(path)
        for place, (signal, message) in enumerate(marked[name(path)]):
            for of_resource in getattr(message, KINDS[signal]):
                of_resource.resource.attributes.add(key=NUMBER).value.string_value = f"{name(path)} {place}"
    return marked


def happening_now(path: Path) -> list[Request]:
    """The requests of a tape as if it had ended now, unmarked: a resource of its own makes a metric one of its own."""
    last = tape(path).lines[-1].t
    ago = time.time_ns() - tape(path).at(last) * 1000
    shifted = requests(path)
    for _, message in shifted:
        shift_message(message, ago)
    return shifted


def failed_call_of_codex() -> Request:
    """The spans of a turn of Codex CLI 0.169.0 whose first call was answered with 500, without the internal ones; no
    tape has that. As if it had ended now."""
    path = Path(__file__).parent / "recorded" / "codex-0.169.0-error500.json"
    message = jsonbody.into(BODIES["traces"](), json.loads(path.read_text()))
    spans = message.resource_spans[0].scope_spans[0].spans
    shift_message(message, time.time_ns() - max(span.end_time_unix_nano for span in spans))
    return "traces", message


def stateless(request: Request) -> Request:
    """What ``own.py`` makes of it without knowing any other, less what is private."""
    signal, message = request[0], copy.deepcopy(request[1])
    tell(signal, message)
    leave_out(signal, message)
    return signal, message


def described(request: Request) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each record of a request: which request and record it is, its name, and all of it, for comparing."""
    signal, message = request
    of_scopes, items = ITEMS[signal]
    for of_resource in getattr(message, KINDS[signal]):
        resource = values(of_resource.resource.attributes)
        number = resource.pop(NUMBER, "")
        for of_scope in getattr(of_resource, of_scopes):
            for item in getattr(of_scope, items):
                if signal == "metrics":
                    data = getattr(item, item.WhichOneof("data") or "gauge")
                    points = [values(point.attributes) for point in data.data_points]
                    yield f"{number} {item.name}", item.name, {"resource": resource, "points": points}
                    continue
                attributes = values(item.attributes)
                told = {"resource": resource, "scope": of_scope.scope.name, "attributes": attributes}
                if signal == "traces":
                    told["events"] = [(event.name, values(event.attributes)) for event in item.events]
                    told["status"] = (item.status.code, item.status.message)
                    yield f"{number} {item.span_id.hex()}", item.name, told
                else:
                    told["body"] = MessageToDict(item.body).get("stringValue", "")
                    key = f"{number} {item.time_unix_nano} {item.observed_time_unix_nano} {item.span_id.hex()}"
                    yield key, str(attributes.get("event.name", item.event_name)), told


def values(pairs: Any) -> dict[str, Any]:
    """Attributes by key; numbers keep their kind. Those without a value are none: the collector keeps them, too."""
    return {pair.key: _value(pair.value) for pair in sorted(pairs, key=lambda pair: pair.key)}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    return str(found) if kind in ("array_value", "kvlist_value", "bytes_value") else found
