"""OTLP over HTTP, seen from the exporter's side of a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import closing
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from bodies import ENCODINGS, SIGNALS, body, large_logs, recorded, request
from google.rpc.status_pb2 import Status
from inbox import NOON, Inbox
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from aimond.otlp import http, jsonform, ports, protobuf
from aimond.otlp.record import Encoding, Signal

TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
async def client(http_port: int) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{http_port}", skip_auto_headers=["Content-Type"]) as session:
        yield session


async def said(answer: aiohttp.ClientResponse) -> str:
    """The message of the google.rpc.Status that every refusal carries, in the request's encoding."""
    if answer.content_type == "application/json":
        return str(json.loads(await answer.read())["message"])
    assert answer.content_type == "application/x-protobuf"
    return Status.FromString(await answer.read()).message


async def raw(port: int, sent: bytes) -> bytes:
    """Everything the server answers to these bytes until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 5)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("path", ["/v1/{}", "/"])
async def test_every_signal_in_both_encodings_arrives_and_is_answered_alike(
    client: aiohttp.ClientSession, inbox: Inbox, path: str, signal: Signal, encoding: Encoding
) -> None:
    headers = {"Content-Type": f"{TYPES[encoding]}; charset=utf-8"}
    async with client.post(path.format(signal), data=body(signal, encoding), headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, TYPES[encoding])
        assert await answer.read() == (b"{}" if encoding == "json" else b"")
        peer = answer.connection.transport.get_extra_info("sockname") if answer.connection else None
    batch = inbox.batch
    assert (batch.signal, batch.encoding, batch.seen) == (signal, encoding, NOON)
    if encoding == "protobuf":
        assert batch.parsed.SerializeToString() == body(signal, encoding)
    else:
        assert batch.parsed == jsonform.parse(body(signal, "json"))
    assert (batch.peer.transport, batch.peer.remote[0], batch.peer.pid) == ("http", "127.0.0.1", 0)
    assert batch.peer.remote[1] and (peer is None or batch.peer.remote[1] == peer[1])


async def test_every_recorded_body_is_accepted_and_its_signal_told_from_its_content(
    client: aiohttp.ClientSession, inbox: Inbox
) -> None:
    for tape, signal, encoding, sent in recorded():
        async with client.post("/", data=sent, headers={"Content-Type": TYPES[encoding]}) as answer:
            assert answer.status == 200, tape
        assert inbox.batches[-1].signal == signal, tape
    assert len(inbox.batches) == len(recorded())


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_missing_content_type_is_told_from_the_content(
    client: aiohttp.ClientSession, inbox: Inbox, encoding: Encoding
) -> None:
    async with client.post("/v1/logs", data=body("logs", encoding)) as answer:
        assert (answer.status, answer.content_type) == (200, TYPES[encoding])
    assert inbox.batch.encoding == encoding


@pytest.mark.parametrize("headers", [PROTOBUF | {"Content-Encoding": "gzip"}, PROTOBUF, {}])
async def test_gzip_is_unpacked_even_where_no_header_says_so(
    client: aiohttp.ClientSession, inbox: Inbox, headers: dict[str, str]
) -> None:
    async with client.post("/v1/logs", data=gzip.compress(body("logs", "protobuf")), headers=headers) as answer:
        assert answer.status == 200
    assert inbox.batch.parsed == request("logs")


async def test_chunks_are_put_together(client: aiohttp.ClientSession, inbox: Inbox) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in body("logs", "json"):
            yield bytes([byte])

    async with client.post("/v1/logs", data=pieces(), headers=JSON) as answer:
        assert answer.status == 200
    assert inbox.batch.parsed == jsonform.parse(body("logs", "json"))


async def test_a_body_of_five_megabytes_is_accepted(client: aiohttp.ClientSession, inbox: Inbox) -> None:
    sent = large_logs(5 * 2**20)
    async with client.post("/v1/logs", data=BytesIO(sent), headers=PROTOBUF) as answer:
        assert answer.status == 200
    assert inbox.batch.parsed.ByteSize() == len(sent) > 5_000_000


async def test_a_full_queue_answers_429_with_retry_after(client: aiohttp.ClientSession, inbox: Inbox) -> None:
    inbox.refusals = 1
    async with client.post("/v1/logs", data=body("logs", "json"), headers=JSON) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert await said(answer)
    assert inbox.batches == []


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b""),
        (JSON, b"[" * 100_000),
        (JSON, b'{"a": "\xff"}'),
        (PROTOBUF, b"\xff"),
        (PROTOBUF, body("logs", "protobuf")[:-1]),
        (PROTOBUF | {"Content-Encoding": "gzip"}, body("logs", "protobuf")),
        (PROTOBUF | {"Content-Encoding": "gzip"}, b""),
        (PROTOBUF | {"Content-Encoding": "gzip"}, gzip.compress(body("logs", "protobuf"), mtime=0)[:-9]),
        (PROTOBUF | {"Content-Encoding": "gzip"}, gzip.compress(b"", mtime=0) * 1000),
    ],
)
async def test_what_cannot_be_decoded_is_a_400_that_says_why(
    client: aiohttp.ClientSession, inbox: Inbox, headers: dict[str, str], sent: bytes
) -> None:
    async with client.post("/v1/logs", data=sent, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (400, headers["Content-Type"])
        assert await said(answer)
    assert inbox.batches == []


@pytest.mark.parametrize(("headers", "sent"), [(JSON, b"{}"), (PROTOBUF, b""), (JSON, b'{"resourceProfiles": []}')])
async def test_what_does_not_say_its_signal_is_refused_only_where_the_path_does_not_either(
    client: aiohttp.ClientSession, headers: dict[str, str], sent: bytes
) -> None:
    async with client.post("/", data=sent, headers=headers) as answer:
        assert answer.status == 400
        assert "/v1/logs" in await said(answer)
    async with client.post("/v1/logs", data=sent, headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("compressed", [True, False])
async def test_too_large_a_body_is_refused_however_small_it_was_packed(
    client: aiohttp.ClientSession, inbox: Inbox, compressed: bool
) -> None:
    sent = gzip.compress(bytes(17 * 2**20)) if compressed else bytes(17 * 2**20)
    headers = PROTOBUF | ({"Content-Encoding": "gzip"} if compressed else {})
    async with client.post("/v1/logs", data=BytesIO(sent), headers=headers) as answer:
        assert answer.status == 413
        assert "16777216" in await said(answer)
    assert inbox.batches == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/grpc"},
        JSON | {"Content-Encoding": "br"},
        JSON | {"Content-Encoding": "gzip, gzip"},
    ],
)
async def test_formats_that_are_not_spoken_are_a_415(client: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with client.post("/v1/logs", data=b"{}", headers=headers) as answer:
        assert answer.status == 415
        assert await said(answer)


@pytest.mark.parametrize("path", ["/v1/profiles", "/v1/logs/", "/v1"])
async def test_other_paths_are_a_404_that_names_the_right_ones(client: aiohttp.ClientSession, path: str) -> None:
    async with client.post(path, data=b"{}", headers=JSON) as answer:
        assert answer.status == 404
        assert "/v1/logs" in await said(answer)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/logs", "POST"),
        ("PUT", "/", "POST"),
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ],
)
async def test_another_method_is_a_405_that_names_the_right_one(
    client: aiohttp.ClientSession, method: str, path: str, allowed: str
) -> None:
    async with client.request(method, path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


async def test_metrics_and_health_are_told(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "text/plain", b"aimond_up 1\n")
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"sessions": 3})


@pytest.mark.parametrize("path", ["/v1/logs", "/metrics", "/healthz"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:4318"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::1].evil.example"},
        {"Host": "localhost:4318:4318"},
    ],
)
async def test_web_pages_are_refused(
    client: aiohttp.ClientSession, inbox: Inbox, path: str, headers: dict[str, str]
) -> None:
    method = "POST" if path == "/v1/logs" else "GET"
    async with client.request(method, path, headers=JSON | headers) as answer:
        assert answer.status == 403
    assert inbox.batches == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4318", "127.0.0.1:1", "[::1]", "[::1]:4318", "desk.lan:4318"])
async def test_local_and_allowed_names_are_served(client: aiohttp.ClientSession, host: str) -> None:
    async with client.post("/v1/logs", data=b"{}", headers=JSON | {"Host": host}) as answer:
        assert answer.status == 200


async def test_ipv6_is_served(http_port: int, inbox: Inbox) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"http://[::1]:{http_port}/v1/logs", json={}) as answer:
        assert answer.status == 200
    assert inbox.batch.peer.remote[0] == "::1"


async def test_an_upload_that_waits_for_a_go_ahead_gets_it(http_port: int) -> None:
    head = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    with closing(writer):
        writer.write(head)
        assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"{}")
        assert await reader.readline() == b"\r\n"
        assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 200 OK\r\n"


async def test_requests_sent_at_once_on_one_connection_are_all_answered(http_port: int, inbox: Inbox) -> None:
    one = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    refused = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answers = await raw(http_port, one + refused + last)
    assert [answers.count(b"HTTP/1.1 200"), answers.count(b"HTTP/1.1 415"), len(inbox.batches)] == [2, 1, 2]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"garbage\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST http://[bad/v1/logs HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_400_and_the_end(http_port: int, sent: bytes) -> None:
    assert (await raw(http_port, sent)).split()[1] == b"400"


async def test_a_client_that_dies_in_mid_body_disturbs_nobody(
    http_port: int, client: aiohttp.ClientSession, inbox: Inbox
) -> None:
    for rest in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
        _, writer = await asyncio.open_connection("127.0.0.1", http_port)
        writer.write(b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + rest)
        await asyncio.sleep(0.02)  # the server has begun to read
        writer.transport.abort()
    async with client.post("/v1/logs", data=b"{}", headers=JSON) as answer:
        assert answer.status == 200
    assert len(inbox.batches) == 1


async def test_an_idle_connection_does_not_hold_up_the_end(inbox: Inbox) -> None:
    listeners = ports.listen(["127.0.0.1"], 0)
    port = listeners[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with http.receiving(inbox.consume, listeners):
            async with session.post(f"http://127.0.0.1:{port}/v1/logs", data=b"{}", headers=JSON) as answer:
                assert answer.status == 200
            began = loop.time()
        assert loop.time() - began < 0.5


async def test_our_own_error_is_logged_and_not_shown(
    client: aiohttp.ClientSession, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.consume = None  # type: ignore[method-assign,assignment]
    inbox.batches = None  # type: ignore[assignment]
    async with client.post("/v1/logs", data=b"{}", headers=JSON) as answer:
        assert answer.status == 500
        assert "Traceback" not in await answer.text()
    assert [entry.exc_info is not None for entry in caplog.records] == [True]
    caplog.clear()


def _send_log(exporter: OTLPLogExporter) -> None:
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("scope").emit(LogRecord(body="hello", event_name="said"))
    provider.shutdown()


def _send_span(exporter: OTLPSpanExporter) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("scope").start_span("work").end()
    provider.shutdown()


def _send_metric(exporter: OTLPMetricExporter) -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
    provider.get_meter("scope").create_counter("tokens").add(7)
    provider.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_the_sdks_exporters_are_served(http_port: int, inbox: Inbox, compression: Compression) -> None:
    def send() -> None:
        base = f"http://localhost:{http_port}/v1"
        _send_log(OTLPLogExporter(f"{base}/logs", compression=compression))
        _send_span(OTLPSpanExporter(f"{base}/traces", compression=compression))
        _send_metric(OTLPMetricExporter(f"{base}/metrics", compression=compression))

    await asyncio.to_thread(send)
    assert [batch.signal for batch in inbox.batches] == ["logs", "traces", "metrics"]
    names: list[Any] = [
        [r.name for r in protobuf.records(batch, lambda scope, resource: None)] for batch in inbox.batches
    ]
    assert names == [["said"], ["work"], []]


async def test_the_sdks_exporter_tries_again_when_the_queue_was_full(
    http_port: int, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.refusals = 1
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    await asyncio.to_thread(_send_log, OTLPLogExporter(f"http://localhost:{http_port}/v1/logs"))
    assert (inbox.refusals, inbox.batch.signal) == (0, "logs")


async def test_an_endpoint_may_have_a_path_of_its_own(client: aiohttp.ClientSession) -> None:
    async with client.post("/pre/v1/logs", json={}) as answer:
        assert answer.status == 200
