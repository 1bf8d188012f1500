"""OTLP/protobuf read into records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bodies import (
    LOG,
    SECOND,
    SIGNALS,
    SPAN,
    attributes,
    failed_span,
    logs,
    metrics,
    plain,
    recorded,
    request,
    text,
    traces,
)
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aimond.otlp import protobuf
from aimond.otlp.record import Attributes, Batch, Record, Signal


def read(message: Any, signal: Signal, names: frozenset[str] | None = None) -> list[Record]:
    parsed = protobuf.parse(signal, message.SerializeToString())
    return list(protobuf.records(Batch(signal, "protobuf", parsed, 0), lambda scope, resource: names))


def test_a_log_record_reads_as_it_was_sent() -> None:
    sent = LogRecord(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, event_name="event session_telemetry.rs:703")
    sent.MergeFrom(LOG)
    (record,) = read(logs(sent), "logs")
    assert plain(record) == {
        "signal": "logs",
        "scope": "scope",
        "name": "said",
        "at": 2_000_000,
        "start": 2_000_000,
        "attributes": {"event.name": "said"},
        "resource": {"service.name": "agent"},
        "trace": "ab" * 16,
        "span": "cd" * 8,
        "parent": "",
        "error": False,
        "status": "",
        "number": 0.0,
        "cumulative": False,
    }


def test_a_span_reads_as_it_was_sent() -> None:
    (record,) = read(traces(failed_span()), "traces")
    assert plain(record) == {
        "signal": "traces",
        "scope": "scope",
        "name": "work",
        "at": 3_000_000,
        "start": 1_000_000,
        "attributes": {},
        "resource": {"service.name": "agent"},
        "trace": "ab" * 16,
        "span": "cd" * 8,
        "parent": "ef" * 8,
        "error": True,
        "status": "overloaded",
        "number": 0.0,
        "cumulative": False,
    }


def test_a_metric_point_reads_as_it_was_sent_and_only_when_its_metric_is_named() -> None:
    (record,) = read(metrics(), "metrics", frozenset({"tokens"}))
    assert plain(record) == {
        "signal": "metrics",
        "scope": "scope",
        "name": "tokens",
        "at": 1_000_000,
        "start": 0,
        "attributes": {"type": "input"},
        "resource": {"service.name": "agent"},
        "trace": "",
        "span": "",
        "parent": "",
        "error": False,
        "status": "",
        "number": 7,
        "cumulative": False,
    }
    assert read(metrics(), "metrics", frozenset({"cost"})) == read(metrics(), "metrics") == []


def test_a_log_record_without_the_name_attribute_has_its_event_name() -> None:
    assert [record.name for record in read(logs(LogRecord(event_name="named")), "logs")] == ["named"]


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        (LogRecord(time_unix_nano=SECOND, observed_time_unix_nano=2 * SECOND), 1_000_000),
        (LogRecord(observed_time_unix_nano=2 * SECOND), 2_000_000),
        (LogRecord(attributes=attributes(event_timestamp=text("1970-01-01T00:00:03.5Z"))), 3_500_000),
        (LogRecord(attributes=attributes(event_timestamp=text("1970-01-01T01:00:03+01:00"))), 3_000_000),
        (LogRecord(attributes=attributes(event_timestamp=text("1970-01-01T00:00:03"))), 3_000_000),
        (LogRecord(attributes=attributes(event_timestamp=text("1969-01-01T00:00:00Z"))), 0),
        (LogRecord(attributes=attributes(event_timestamp=text("yesterday"))), 0),
        (LogRecord(attributes=attributes(event_timestamp=AnyValue(int_value=7))), 0),
        (LogRecord(), 0),
    ],
)
def test_the_time_is_the_first_that_is_given(sent: LogRecord, at: int) -> None:
    (record,) = read(logs(sent), "logs")
    assert (record.at, record.start) == (at, at)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (text("a"), "a"),
        (AnyValue(int_value=-5), -5),
        (AnyValue(double_value=0.5), 0.5),
        (AnyValue(bool_value=False), False),
        (AnyValue(array_value=ArrayValue(values=[text("a"), AnyValue(int_value=1)])), ("a", 1)),
        (AnyValue(array_value=ArrayValue()), ()),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(array_value=ArrayValue())])), (None,)),
        (AnyValue(bytes_value=b"a"), None),
        (AnyValue(kvlist_value=KeyValueList(values=attributes(a=text("a")))), None),
        (AnyValue(), None),
    ],
)
def test_an_attribute_reads_as_its_kind_says(sent: AnyValue, value: object) -> None:
    (record,) = read(logs(LogRecord(attributes=attributes(key=sent))), "logs")
    assert "key" in record.attributes
    assert record.attributes.get("key") == value


def test_a_span_nobody_wants_is_not_looked_into() -> None:
    damaged = b"\x2a\x0cfs.read_file\xff"
    mentioned = Span(name="play", attributes=attributes(text=text("*\x04work"))).SerializeToString()
    wanted = SPAN.SerializeToString()
    parsed = protobuf.parse("traces", traces().SerializeToString())
    parsed.resource_spans[0].scope_spans[0].spans[:] = [damaged, wanted, mentioned, wanted + b"\xff", wanted]
    batch = Batch("traces", "protobuf", protobuf.parse("traces", parsed.SerializeToString()), 0)
    for names, found in {("work",): 2, ("work", "play"): 3, ("other",): 0, (): 0, None: 3}.items():
        wanted_names = None if names is None else frozenset(names)
        records = list(protobuf.records(batch, lambda scope, resource, names=wanted_names: names))
        assert len(records) == found, names


def test_which_spans_are_wanted_is_asked_once_per_scope() -> None:
    asked: list[tuple[str, str]] = []

    def nothing(scope: str, resource: Attributes) -> frozenset[str]:
        asked.append((scope, resource.text("service.name")))
        return frozenset()

    message = traces(SPAN, SPAN, SPAN)
    message.MergeFrom(traces(SPAN))
    parsed = protobuf.parse("traces", message.SerializeToString())
    assert list(protobuf.records(Batch("traces", "protobuf", parsed, 0), nothing)) == []
    assert asked == [("scope", "agent")] * 2


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_request_sent_to_no_signals_path_says_itself_what_it_is(signal: Signal) -> None:
    body = request(signal).SerializeToString()
    assert protobuf.sniff(body) == (signal, protobuf.parse(signal, body))


TIMELESS = logs(LogRecord(severity_text="INFO")).SerializeToString()


@pytest.mark.parametrize("body", [b"", b"\x0a\x00", b"\xff", b'{"resourceLogs": []}', TIMELESS])
def test_what_could_be_any_signal_or_none_is_not_guessed(body: bytes) -> None:
    assert protobuf.sniff(body) is None


def test_every_recorded_body_says_itself_what_it_is() -> None:
    for tape, signal, encoding, body in recorded():
        if encoding == "protobuf":
            sniffed = protobuf.sniff(body)
            assert sniffed is not None and sniffed[0] == signal, tape


def test_every_recorded_log_record_and_span_has_a_time_and_a_scope() -> None:
    found = list(_recorded_records())
    assert {record.signal for record in found} == {"logs", "traces"}
    assert all(record.at >= record.start > 1_700_000_000_000_000 and record.scope for record in found)


def _recorded_records() -> Iterator[Record]:
    for _, signal, encoding, body in recorded():
        if encoding == "protobuf":
            batch = Batch(signal, "protobuf", protobuf.parse(signal, body), 0)
            yield from protobuf.records(batch, lambda scope, resource: None)


@given(st.sampled_from(SIGNALS), st.binary(max_size=200), st.integers(0, 200))
def test_damaged_bytes_are_a_value_error_or_read_without_one(signal: Signal, tail: bytes, keep: int) -> None:
    body = request(signal).SerializeToString()[:keep] + tail
    protobuf.sniff(body)
    try:
        parsed = protobuf.parse(signal, body)
    except ValueError:
        return
    for record in protobuf.records(Batch(signal, "protobuf", parsed, 0), lambda scope, resource: None):
        plain(record)
