"""Whatever is sent, the answer is 200 or 4xx, nothing is logged, and the next exporter is served."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from bodies import METHODS, SIGNALS, body, recorded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inbox import Inbox

from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Signal

anything = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PATHS = st.sampled_from(["/v1/logs", "/v1/traces", "/v1/metrics", "/", "/metrics", "/healthz", "/v1/other"])
TYPES = st.sampled_from(
    [None, "application/x-protobuf", "application/json", "application/json; charset=x", "x", ";", "/"]
)
COMPRESSIONS = st.sampled_from([None, "", "gzip", "identity", "deflate", "br", "gzip, gzip"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["resourceLogs", "resourceSpans", "scopeLogs", "logRecords", "x"]), inner)
    ),
    max_leaves=10,
)
FRAMES = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=40)), max_size=6
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture
async def client(http_port: int) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{http_port}", skip_auto_headers=["Content-Type"]) as session:
        yield session


@pytest.fixture
async def channel(grpc_port: int) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        yield channel


async def post(client: aiohttp.ClientSession, path: str, sent: bytes, headers: dict[str, str | None]) -> int:
    given_headers = {name: value for name, value in headers.items() if value is not None}
    async with client.post(path, data=sent, headers=given_headers) as answer:
        await answer.read()
        return answer.status


async def still_serves(client: aiohttp.ClientSession, inbox: Inbox) -> None:
    sent = json.loads(body("logs", "json"))
    before = sum(batch.parsed == sent for batch in inbox.batches)  # what was sent meanwhile may be a request too
    assert await post(client, "/v1/logs", body("logs", "json"), {"Content-Type": "application/json"}) == 200
    assert sum(batch.parsed == sent for batch in inbox.batches) == before + 1


async def still_exports(channel: grpc.aio.Channel, inbox: Inbox) -> None:
    before = len(inbox.batches)
    await channel.unary_unary(METHODS["logs"])(body("logs", "protobuf"), timeout=5)
    assert len(inbox.batches) == before + 1


def read_everything(inbox: Inbox) -> None:
    """What was accepted can be read."""
    for batch in inbox.batches:
        reader = jsonform if batch.encoding == "json" else protobuf
        for record in reader.records(batch, lambda scope, resource: None):
            for key in record.attributes:
                record.attributes.text(key)
    inbox.batches.clear()


def is_an_answer(status: int) -> bool:
    return status == 200 or 400 <= status < 500


@anything
@given(PATHS, TYPES, COMPRESSIONS, st.binary(max_size=300) | st.binary(max_size=300).map(gzip.compress))
async def test_any_bytes_posted_anywhere(
    client: aiohttp.ClientSession, inbox: Inbox, path: str, content_type: str, compression: str, sent: bytes
) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": compression}
    assert is_an_answer(await post(client, path, sent, headers))
    read_everything(inbox)
    await still_serves(client, inbox)


@anything
@given(PATHS, JSON)
async def test_any_json_posted_anywhere(client: aiohttp.ClientSession, inbox: Inbox, path: str, document: Any) -> None:
    assert is_an_answer(await post(client, path, json.dumps(document).encode(), {"Content-Type": "application/json"}))
    read_everything(inbox)
    await still_serves(client, inbox)


@anything
@given(PATHS, st.data())
async def test_any_truncation_of_a_recorded_body(
    client: aiohttp.ClientSession, inbox: Inbox, path: str, data: st.DataObject
) -> None:
    bodies = [each.body for each in recorded() if each.encoding == "protobuf" and len(each.body) < 20_000]
    whole = bodies[data.draw(st.integers(0, len(bodies) - 1))]
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    assert is_an_answer(await post(client, path, cut, {"Content-Type": "application/x-protobuf"}))
    read_everything(inbox)
    await still_serves(client, inbox)


@anything
@given(
    st.sampled_from([b"", b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\n", b"POST / HTTP/1.0\r\n"]),
    st.binary(max_size=100),
)
async def test_any_bytes_on_the_http_port(
    http_port: int, client: aiohttp.ClientSession, inbox: Inbox, start: bytes, rest: bytes
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", http_port)
    writer.write(start + rest)
    writer.close()
    await still_serves(client, inbox)


@anything
@given(st.sampled_from([b"", PREFACE[:10], PREFACE]), st.binary(max_size=100))
async def test_any_bytes_on_the_grpc_port(
    grpc_port: int, channel: grpc.aio.Channel, inbox: Inbox, start: bytes, rest: bytes
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", grpc_port)
    writer.write(start + rest)
    writer.close()
    await still_exports(channel, inbox)


@anything
@given(FRAMES)
async def test_any_frames_on_the_grpc_port(
    grpc_port: int, channel: grpc.aio.Channel, inbox: Inbox, frames: list[tuple[int, int, int, bytes]]
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", grpc_port)
    writer.write(PREFACE)
    for kind, flags, stream, payload in frames:
        writer.write(len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload)
    writer.close()
    await still_exports(channel, inbox)


@anything
@given(st.sampled_from(SIGNALS), st.binary(max_size=100), st.sampled_from(grpc.Compression))
async def test_any_message_in_a_grpc_call(
    channel: grpc.aio.Channel, inbox: Inbox, signal: Signal, sent: bytes, compression: grpc.Compression
) -> None:
    try:
        await channel.unary_unary(METHODS[signal])(sent, timeout=5, compression=compression)
    except grpc.aio.AioRpcError as error:
        unknown = compression is grpc.Compression.Deflate
        assert error.code() is (grpc.StatusCode.UNIMPLEMENTED if unknown else grpc.StatusCode.INVALID_ARGUMENT)
    read_everything(inbox)
    await still_exports(channel, inbox)
