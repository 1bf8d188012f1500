"""OTLP/JSON read into records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bodies import SIGNALS, as_json, body, failed_span, logs, metrics, plain, recorded, traces
from hypothesis import given
from hypothesis import strategies as st

from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Record, Signal


def read(document: Any, signal: Signal, names: frozenset[str] | None = None) -> list[Record]:
    parsed = jsonform.parse(json.dumps(document).encode())
    return list(jsonform.records(Batch(signal, "json", parsed, 0), lambda scope, resource: names))


def log(**fields: Any) -> Record:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [fields]}]}]}
    (record,) = read(document, "logs")
    return record


def value(sent: Any) -> object:
    record = log(attributes=[{"key": "key", "value": sent}])
    assert "key" in record.attributes
    return record.attributes.get("key")


@pytest.mark.parametrize(
    ("signal", "message"), [("logs", logs()), ("traces", traces(failed_span())), ("metrics", metrics())]
)
def test_json_reads_as_the_same_request_in_protobuf(signal: Signal, message: Any) -> None:
    names = frozenset({"work", "tokens"})
    parsed = protobuf.parse(signal, message.SerializeToString())
    same = list(protobuf.records(Batch(signal, "protobuf", parsed, 0), lambda scope, resource: names))
    assert (
        [plain(record) for record in read(as_json(message), signal, names)] == [plain(record) for record in same] != []
    )


def test_every_recorded_protobuf_body_reads_the_same_as_json() -> None:
    compared = 0
    for tape, signal, encoding, sent in recorded():
        if encoding == "protobuf" and len(sent) < 20_000:
            batch = Batch(signal, "protobuf", protobuf.parse(signal, sent), 0)
            records = list(protobuf.records(batch, lambda scope, resource: None))
            same = read(as_json(protobuf.whole(signal, sent)), signal)
            assert [plain(record) for record in same] == [plain(record) for record in records], tape
            compared += len(same)
    assert compared


def test_every_recorded_json_body_says_its_signal_and_has_a_time_and_a_scope() -> None:
    found: list[Record] = []
    for tape, signal, encoding, sent in recorded():
        if encoding == "json":
            document = jsonform.parse(sent)
            assert jsonform.signal_of(document) == signal, tape
            found += jsonform.records(Batch(signal, "json", document, 0), lambda scope, resource: None)
    assert {record.signal for record in found} == {"logs", "traces"}
    assert all(record.at >= record.start > 1_700_000_000_000_000 and record.scope for record in found)


def test_only_wanted_spans_are_read() -> None:
    document = as_json(traces())
    assert [record.name for record in read(document, "traces", frozenset({"work"}))] == ["work"]
    assert read(document, "traces", frozenset({"play"})) == []


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_document_says_its_signal(signal: Signal) -> None:
    assert jsonform.signal_of(jsonform.parse(body(signal, "json"))) == signal


def test_an_empty_request_is_a_request_of_no_signal() -> None:
    assert jsonform.parse(b"{}") == {}
    assert jsonform.signal_of({}) is None


@pytest.mark.parametrize(
    ("sent", "value_read"),
    [
        ({"stringValue": "a"}, "a"),
        ({"stringValue": 5}, None),
        ({"intValue": "155"}, 155),
        ({"intValue": 155}, 155),
        ({"intValue": 1e3}, 1000),
        ({"intValue": "undefined"}, None),
        ({"intValue": True}, None),
        ({"intValue": 2**63}, None),
        ({"intValue": -(2**63)}, -(2**63)),
        ({"intValue": "9" * 4000}, None),
        ({"intValue": "9" * 5000}, None),
        ({"intValue": float("inf")}, None),
        ({"intValue": float("nan")}, None),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": "0.5"}, 0.5),
        ({"doubleValue": "Infinity"}, float("inf")),
        ({"doubleValue": 10**400}, None),
        ({"doubleValue": []}, None),
        ({"boolValue": False}, False),
        ({"boolValue": "false"}, None),
        (
            {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {"arrayValue": {}}, 3]}},
            ("a", 1, None, None),
        ),
        ({"arrayValue": {}}, ()),
        ({"arrayValue": None}, ()),
        ({"kvlistValue": {"values": []}}, None),
        ({"bytesValue": "AA=="}, None),
        ({}, None),
        (None, None),
        ("bare", None),
    ],
)
def test_a_value_is_read_leniently_and_stays_in_bounds(sent: Any, value_read: object) -> None:
    assert value(sent) == value_read


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"timeUnixNano": "2000", "observedTimeUnixNano": 5000}, 2),
        ({"timeUnixNano": "0", "observedTimeUnixNano": 5000}, 5),
        ({"timeUnixNano": None, "observedTimeUnixNano": "5000"}, 5),
        ({"timeUnixNano": -2000}, 0),
        ({"timeUnixNano": 2**64}, 0),
        ({"timeUnixNano": []}, 0),
        ({"attributes": [{"key": "event.timestamp", "value": {"stringValue": "1970-01-01T00:00:01Z"}}]}, 1_000_000),
        ({}, 0),
    ],
)
def test_the_time_is_the_first_that_is_given(fields: dict[str, Any], at: int) -> None:
    assert log(**fields).at == at


def test_ids_are_lower_case() -> None:
    record = log(traceId="5B8EFFF798038103D269B633813FC60C", spanId="EEE19B7EC3C1B174")
    assert (record.trace, record.span) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")


def test_half_a_surrogate_pair_becomes_something_that_can_be_written() -> None:
    log_records = rb'[{"eventName": "cut \ud83d"}, {"eventName": "\ud83d\ude00"}]'
    sent = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": ' + log_records + b"}]}]}"
    batch = Batch("logs", "json", jsonform.parse(sent), 0)
    assert [record.name for record in jsonform.records(batch, lambda scope, resource: None)] == ["cut ?", "😀"]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"null",
        b'"resourceLogs"',
        b"{",
        b"\xff",
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_a_value_error(sent: bytes) -> None:
    with pytest.raises(ValueError):
        jsonform.parse(sent)


_KEYS = (
    "resourceLogs resourceSpans scopeLogs scopeSpans logRecords spans resource scope attributes key value stringValue "
    "intValue doubleValue boolValue arrayValue values name status code message traceId spanId timeUnixNano "
    "endTimeUnixNano eventName event.name event.timestamp resourceMetrics scopeMetrics metrics sum dataPoints tokens"
)
_WORDS = st.sampled_from(_KEYS.split())
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4), max_leaves=12
)


def _bent(node: Any, draw: st.DrawFn) -> Any:
    """A copy of a request in which here and there something else stands."""
    if draw(st.integers(0, 9)) == 0:
        return draw(_JSON)
    if isinstance(node, list):
        return [_bent(element, draw) for element in node]
    return {key: _bent(element, draw) for key, element in node.items()} if isinstance(node, dict) else node


@st.composite
def _bent_requests(draw: st.DrawFn) -> Any:
    return _bent(as_json(draw(st.sampled_from([logs(), traces(failed_span()), metrics()]))), draw)


@given(_JSON | _bent_requests())
def test_no_json_whatever_raises(document: Any) -> None:
    try:
        parsed = jsonform.parse(json.dumps(document).encode())
    except ValueError:
        assert not isinstance(document, dict)
        return
    jsonform.signal_of(parsed)
    for signal in SIGNALS:
        names = frozenset({"tokens"}) if signal == "metrics" else None
        for record in jsonform.records(Batch(signal, "json", parsed, 0), lambda scope, resource, names=names: names):
            json.dumps(plain(record), allow_nan=True).encode()
            assert isinstance(record.name + record.scope + record.trace + record.status, str)
            assert 0 <= record.at < 2**63 and 0 <= record.start < 2**63


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ({"asInt": "7"}, 7),
        ({"asDouble": 0.5}, 0.5),
        ({"asDouble": "0.5"}, 0.5),
        ({}, 0),
        ({"asInt": None}, 0),
        ({"asDouble": [1]}, 0),
    ],
)
@pytest.mark.parametrize(
    ("kind", "cumulative"),
    [(1, False), (2, True), ("AGGREGATION_TEMPORALITY_CUMULATIVE", True), (None, False), ([2], False), ({}, False)],
)
def test_a_metric_point_has_its_number_and_says_what_it_counts_from(
    value: dict[str, Any], number: float, kind: Any, cumulative: bool
) -> None:
    counter = {"aggregationTemporality": kind, "dataPoints": [value]}
    metric = {"name": "tokens", "sum": counter}
    parsed = {"resourceMetrics": [{"scopeMetrics": [{"scope": {"name": "s"}, "metrics": [metric]}]}]}
    batch = Batch("metrics", "json", parsed, 1)
    (record,) = jsonform.records(batch, lambda scope, resource: frozenset({"tokens"}))
    assert (record.number, record.cumulative) == (number, cumulative)
