"""Whatever was taken for a request: it is scrubbed before it is written, or refused; nothing else is raised."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimond.forward.failures import PRIVATE
from aimond.forward.private import scrubbed
from aimond.forward.requests import parsed
from aimond.otlp.record import Encoding, Signal
from aimond.tape import unpacked
from tests.core.test_any_request import JUNK, RECORD, REQUESTS, as_json, as_protobuf
from tests.recorded import PATHS, tape

anything = settings(
    max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
SIGNALS: tuple[Signal, ...] = ("logs", "traces", "metrics")
BODIES = [line for path in PATHS for line in tape(path).lines if line.kind == "otlp"]


def tried(signal: Signal, encoding: Encoding, body: bytes) -> bytes:
    try:
        fit = scrubbed(signal, encoding, body)
    except ValueError:
        return b""
    parsed(signal, "protobuf", fit)
    assert scrubbed(signal, "protobuf", fit) == fit, "once is enough"
    return fit


@anything
@given(st.sampled_from(SIGNALS), st.sampled_from(["protobuf", "json"]), st.binary(max_size=100))
def test_any_bytes(signal: Signal, encoding: Encoding, body: bytes) -> None:
    tried(signal, encoding, body)


@anything
@given(st.sampled_from(SIGNALS), st.dictionaries(REQUESTS, JUNK))
def test_any_document(signal: Signal, document: dict[str, Any]) -> None:
    tried(signal, "json", json.dumps(document).encode())


@anything
@given(st.sampled_from(SIGNALS[:2]), st.booleans(), RECORD, st.sampled_from(PRIVATE))
def test_no_private_word_of_any_record_is_left(
    signal: Signal, is_json: bool, record: dict[str, Any], private: str
) -> None:
    record["attributes"][private] = "canary"
    record["session"] = record["session"].encode(errors="ignore").decode()
    if is_json:
        fit = tried(signal, "json", json.dumps(as_json(signal, record)).encode())
    else:
        fit = tried(signal, "protobuf", as_protobuf(signal, record).SerializeToString())
    assert b"canary" not in fit


@anything
@given(st.sampled_from(BODIES), st.data())
def test_a_recorded_request_with_a_part_of_it_spoilt(line: Any, data: st.DataObject) -> None:
    body = bytearray(unpacked(line))
    for _ in range(data.draw(st.integers(0, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    encoding: Encoding = "json" if "json" in (line.fields["content_type"] or "") else "protobuf"
    tried(data.draw(st.sampled_from(SIGNALS)), encoding, bytes(body))


def test_half_an_emoji_costs_a_character_and_not_the_request() -> None:
    """JSON.stringify of a string that was cut in its middle: "\\ud83d" and nothing behind it."""
    pair = {"key": "model\ud83d", "value": {"stringValue": "gpt\ud83d-5"}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [pair]}]}]}]}
    fit = tried("logs", "json", json.dumps(body).encode())
    assert b"model?" in fit and b"gpt?-5" in fit
