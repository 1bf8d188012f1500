"""What is built to hurt: deep, wide, packed, repeated, impossible. Its neighbours are understood all the same."""

from __future__ import annotations

import gc
import gzip
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import aiohttp
import grpc.aio
import pytest
from bodies import METHODS, SECOND, logs, text
from inbox import Inbox
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aimond.agents.agent import MOST_TOKENS
from aimond.otlp import protobuf
from aimond.otlp.record import Batch
from aimond.otlp.status import Refused
from aimond.otlp.unpack import MAX_BODY
from aimond.spine import Spine

CLAUDE = "com.anthropic.claude_code.events"
NOON = 1_800_000_000_000_000
DEEP = 10_000


def said(**more: Any) -> dict[str, Any]:
    return {"event.name": "api_request", "session.id": "s", "model": "m", "input_tokens": 7, "request_id": "r"} | more


def any_value(value: Any) -> AnyValue:
    if isinstance(value, AnyValue):
        return value
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
    return AnyValue(**{kinds.get(type(value), "string_value"): value})


def log(pairs: Iterable[tuple[str, Any]], nanoseconds: int = NOON * 1000) -> LogRecord:
    return LogRecord(
        time_unix_nano=nanoseconds, attributes=[KeyValue(key=key, value=any_value(value)) for key, value in pairs]
    )


def take(*records: LogRecord, body: bytes | None = None) -> Spine:
    """A spine that was given these, and a neighbour of them in the same request."""
    neighbour = log(said(**{"session.id": "neighbour", "request_id": "n"}).items())
    request = logs(*records, neighbour)
    request.resource_logs[0].scope_logs[0].scope.name = CLAUDE
    parsed = protobuf.parse("logs", body if body is not None else request.SerializeToString())
    spine = Spine()
    spine.take(Batch("logs", "protobuf", parsed, NOON))
    session = spine.tracker.sessions.get(("claude-code", "neighbour"))
    assert session is not None, "a bad record took its neighbour along"
    assert sum(spent.usage.input for spent in session.models.values()) == 7
    spine.tracker.tick(NOON + SECOND)
    return spine


@pytest.mark.parametrize(
    "odd", [-1, -(2**63), 2**63 - 1, float("nan"), float("inf"), -0.5, "2e400", "9" * 400, b"\xff", True]
)
@pytest.mark.parametrize("key", ["input_tokens", "output_tokens", "cost_usd", "duration_ms", "cache_read_tokens"])
def test_a_number_that_cannot_be_spoils_no_total(key: str, odd: Any) -> None:
    spine = take(log(said(**{key: odd}).items()))
    for session in spine.tracker.sessions.remembered:
        for spent in session.models.values():
            assert all(0 <= count <= MOST_TOKENS for count in (spent.usage.input, spent.usage.output))
            assert spent.cost is None or 0 <= spent.cost < 2**63


@pytest.mark.parametrize("nanoseconds", [0, 1, 2**63, 2**64 - 1])
def test_a_time_that_cannot_be_is_no_end_of_the_world(nanoseconds: int) -> None:
    take(log(said().items(), nanoseconds))


@pytest.mark.parametrize("word", ["\0", "a\0b", "\ud83d", "\x1b]0;x\x07", "../../etc", "a/b", "_", "x" * 100_000, ""])
@pytest.mark.parametrize("key", ["session.id", "model", "request_id", "event.name"])
def test_a_word_that_cannot_be_loses_nobody(key: str, word: str) -> None:
    take(log(said(**{key: word.encode(errors="replace").decode()}).items()))


def test_an_attribute_told_twice_counts_once() -> None:
    take(log([*said().items(), *said(input_tokens=8).items()]))


def test_a_million_attributes_are_read_past_in_bounded_time() -> None:
    began = time.monotonic()
    one = KeyValue(key="k", value=text("v"))
    record = log(said().items())
    record.attributes.extend([one] * 1_000_000)
    take(record)
    assert time.monotonic() - began < 30


def nested(depth: int) -> bytes:
    """An AnyValue of arrays in arrays, as bytes: protobuf itself would not build it."""
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = _field(5, _field(1, value))
    return value


def _field(number: int, content: bytes) -> bytes:
    length, size = bytearray(), len(content)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + content


async def post(port: int, sent: bytes, **headers: str) -> int:
    async with aiohttp.ClientSession() as session:  # noqa: SIM117
        async with session.post(f"http://127.0.0.1:{port}/v1/logs", data=sent, headers=headers) as answer:
            return answer.status


PROTOBUF, JSON = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json"}


async def test_ten_thousand_nested_values_are_refused_and_the_next_is_served(http_port: int, inbox: Inbox) -> None:
    log_body = _field(2, _field(2, _field(5, nested(DEEP))))
    assert await post(http_port, _field(1, log_body), **PROTOBUF) == 400
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = b'{"resourceLogs":' + opening * DEEP + b"1" + closing * DEEP + b"}"
        assert await post(http_port, deep, **JSON) in (200, 400)
    assert await post(http_port, logs().SerializeToString(), **PROTOBUF) == 200


async def test_a_bomb_is_refused_before_it_is_unpacked(http_port: int, inbox: Inbox) -> None:
    bomb = gzip.compress(bytes(MAX_BODY + 1))
    assert len(bomb) < 20_000
    assert await post(http_port, bomb, **PROTOBUF, **{"Content-Encoding": "gzip"}) == 413
    twice = gzip.compress(gzip.compress(bytes(MAX_BODY + 1)))
    assert await post(http_port, twice, **PROTOBUF, **{"Content-Encoding": "gzip"}) == 400
    assert not inbox.batches


async def test_what_was_refused_is_not_kept(http_port: int, grpc_port: int) -> None:
    """Else it would be until Python looks for rings, which a monitor does seldom: a GiB of bombs in a minute."""
    bomb = gzip.compress(bytes(MAX_BODY + 1))
    bad = (bomb, b"[" * 100_000, b"\x0a\x80\x80\x80\x80\x08x", b"{", b'{"resourceLogs":' + b"[" * 1000)
    gc.collect()
    gc.disable()
    try:
        for body in bad:
            for headers in (PROTOBUF, JSON, {**PROTOBUF, "Content-Encoding": "gzip"}):
                assert await post(http_port, body, **headers) in (400, 413)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}", compression=grpc.Compression.Gzip) as channel:
            for body in (bytes(MAX_BODY + 1), b"\x0a\x80x"):
                with suppress(grpc.aio.AioRpcError):
                    await channel.unary_unary(METHODS["logs"])(body, timeout=10)
        kept = [each for each in gc.get_objects() if isinstance(each, Refused)]
        assert [str(each) for each in kept] == []
    finally:
        gc.enable()


async def test_the_largest_body_is_taken_and_one_byte_more_is_not(http_port: int, inbox: Inbox) -> None:
    document = json.dumps({"resourceLogs": []}).encode()
    assert await post(http_port, document.ljust(MAX_BODY), **JSON) == 200
    assert await post(http_port, document.ljust(MAX_BODY + 1), **JSON) == 413


@pytest.mark.parametrize(
    "bad", [b'{"a": "\xff"}', b'{"resourceLogs": NaN}', b'{"resourceLogs": "\\ud800"}', b"\xef\xbb\xbf{}", b"\0"]
)
async def test_json_that_is_none_is_answered(http_port: int, inbox: Inbox, bad: bytes) -> None:
    assert await post(http_port, bad, **JSON) in (200, 400)
