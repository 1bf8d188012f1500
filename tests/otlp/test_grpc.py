"""OTLP over gRPC, seen by grpcio, by the SDK's exporters and by clients that do it wrong."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import pytest
from bodies import METHODS, SIGNALS, body, large_logs, recorded
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from inbox import NOON, Inbox
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from aimond.otlp import grpc as receiver
from aimond.otlp import ports, protobuf
from aimond.otlp.record import Signal

COMPRESSIONS = [grpc.Compression.NoCompression, grpc.Compression.Gzip]
MIB = 2**20


@pytest.fixture
async def channel(grpc_port: int) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        yield channel


async def export(channel: grpc.aio.Channel, signal: Signal, sent: bytes, **options: Any) -> bytes:
    return bytes(await channel.unary_unary(METHODS[signal])(sent, timeout=10, **options))


async def refusal(channel: grpc.aio.Channel, sent: bytes, method: str = METHODS["logs"], **options: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method)(sent, timeout=10, **options)
    return raised.value


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("signal", SIGNALS)
async def test_every_signal_arrives(
    channel: grpc.aio.Channel, inbox: Inbox, signal: Signal, compression: grpc.Compression
) -> None:
    assert await export(channel, signal, body(signal, "protobuf"), compression=compression) == b""
    batch = inbox.batch
    assert (batch.signal, batch.encoding, batch.seen) == (signal, "protobuf", NOON)
    assert batch.parsed == protobuf.parse(signal, body(signal, "protobuf"))
    assert (batch.peer.transport, batch.peer.remote[0], batch.peer.pid) == ("grpc", "127.0.0.1", 0)
    assert batch.peer.remote[1] > 0


async def test_every_recorded_protobuf_body_is_accepted(channel: grpc.aio.Channel, inbox: Inbox) -> None:
    sent = [(signal, content) for _, signal, encoding, content in recorded() if encoding == "protobuf"]
    for signal, content in sent:
        await export(channel, signal, content)
    assert [batch.signal for batch in inbox.batches] == [signal for signal, _ in sent]


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_a_body_of_five_megabytes_is_accepted(
    channel: grpc.aio.Channel, inbox: Inbox, compression: grpc.Compression
) -> None:
    sent = large_logs(5 * MIB)
    await export(channel, "logs", sent, compression=compression)
    assert inbox.batch.parsed.ByteSize() == len(sent) > 5_000_000


async def test_many_calls_at_once_are_all_answered(channel: grpc.aio.Channel, inbox: Inbox) -> None:
    sent = large_logs(200_000)
    await asyncio.gather(*[export(channel, "logs", sent) for _ in range(50)])
    assert len(inbox.batches) == 50


async def test_a_full_queue_is_resource_exhausted_with_retry_info(channel: grpc.aio.Channel, inbox: Inbox) -> None:
    inbox.refusals = 1
    error = await refusal(channel, body("logs", "protobuf"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (8, error.details())
    (detail,) = status.details
    retry = RetryInfo()
    assert detail.Unpack(retry)
    assert retry.retry_delay.ToSeconds() == 1
    assert inbox.batches == []


@pytest.mark.parametrize("sent", [b"\xff", body("logs", "protobuf")[:-1]])
async def test_what_cannot_be_decoded_is_an_invalid_argument(
    channel: grpc.aio.Channel, inbox: Inbox, sent: bytes
) -> None:
    error = await refusal(channel, sent)
    assert (error.code(), inbox.batches) == (grpc.StatusCode.INVALID_ARGUMENT, [])
    assert error.details()


@pytest.mark.parametrize("size", [17 * MIB, 40 * MIB])
@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_too_large_a_body_is_refused_for_good_however_small_it_was_packed(
    channel: grpc.aio.Channel, inbox: Inbox, compression: grpc.Compression, size: int
) -> None:
    error = await refusal(channel, bytes(size), compression=compression)
    assert (error.code(), inbox.batches) == (grpc.StatusCode.RESOURCE_EXHAUSTED, [])
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())
    await export(channel, "logs", b"")  # on the same connection


async def test_another_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    error = await refusal(channel, b"", "/grpc.health.v1.Health/Check")
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "unknown method /grpc.health.v1.Health/Check",
    )


async def test_another_compression_is_unimplemented_and_told_what_is(channel: grpc.aio.Channel) -> None:
    error = await refusal(channel, body("logs", "protobuf"), compression=grpc.Compression.Deflate)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_web_pages_are_refused(channel: grpc.aio.Channel, grpc_port: int, inbox: Inbox) -> None:
    error = await refusal(channel, b"", metadata=(("origin", "http://localhost"),))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    foreign = [("grpc.default_authority", "evil.example:4317")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}", foreign) as channel:
        assert (await refusal(channel, b"")).code() is grpc.StatusCode.PERMISSION_DENIED
    assert inbox.batches == []


@pytest.mark.parametrize("target", ["localhost:{}", "[::1]:{}"])
async def test_local_names_and_ipv6_are_served(grpc_port: int, inbox: Inbox, target: str) -> None:
    async with grpc.aio.insecure_channel(target.format(grpc_port)) as channel:
        await export(channel, "logs", b"")
    assert len(inbox.batches) == 1


async def test_an_allowed_name_is_served(grpc_port: int, inbox: Inbox) -> None:
    options = [("grpc.default_authority", "desk.lan:4317")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}", options) as channel:
        await export(channel, "logs", b"")
    assert len(inbox.batches) == 1


HEADERS = {
    ":method": "POST",
    ":scheme": "http",
    ":path": METHODS["logs"],
    ":authority": "localhost:4317",
    "content-type": "application/grpc",
    "te": "trailers",
}


class Client:
    """A client that sends exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection()
        self.h2.initiate_connection()

    def begin(self, **headers: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        changed = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
        self.h2.send_headers(stream, list(changed.items()))
        return stream

    def send(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def receive(self, *until: type[Event]) -> list[Event]:
        """Sends what is to be sent; all events until one of these or the connection's end."""
        events: list[Event] = []
        while not any(isinstance(event, until) for event in events):
            self.send()
            data = await asyncio.wait_for(self.reader.read(65536), 5)
            if not data:
                break
            events += self.h2.receive_data(data)
        self.send()
        return events

    async def status(self) -> dict[str, str]:
        """The headers or trailers that end the call."""
        events = await self.receive(StreamEnded)
        found: dict[str, str] = {}
        for event in events:
            for name, value in getattr(event, "headers", None) or ():
                found[bytes(name).decode()] = bytes(value).decode()
        return found


@pytest.fixture
async def raw(grpc_port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", grpc_port)
    yield Client(reader, writer)
    writer.close()


GOOD = bytes(5)
PACKED = gzip.compress(body("logs", "protobuf"), mtime=0)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0\0\0",
        b"\0\0\0\0\1",
        GOOD + body("logs", "protobuf"),
        GOOD + GOOD,
        b"\2\0\0\0\0",
        b"\1\0\0\0\0",
        b"\1\0\0\0\2{}",
        b"\1" + (len(PACKED) - 9).to_bytes(4) + PACKED[:-9],
    ],
)
async def test_a_call_with_anything_but_one_message_is_an_invalid_argument(
    raw: Client, inbox: Inbox, sent: bytes
) -> None:
    raw.h2.send_data(raw.begin(grpc_encoding="gzip"), sent, end_stream=True)
    assert (await raw.status())["grpc-status"] == "3"
    raw.h2.send_data(raw.begin(), GOOD, end_stream=True)
    assert (await raw.status())["grpc-status"] == "0"
    assert len(inbox.batches) == 1


async def test_what_is_not_grpc_is_a_415(raw: Client, inbox: Inbox) -> None:
    raw.h2.send_data(raw.begin(content_type="application/x-protobuf"), b"", end_stream=True)
    assert (await raw.status())[":status"] == "415"
    assert inbox.batches == []


async def test_an_accepted_call_is_answered_with_one_empty_message(raw: Client) -> None:
    raw.h2.send_data(raw.begin(), GOOD, end_stream=True)
    events = await raw.receive(StreamEnded)
    assert [bytes(event.data) for event in events if isinstance(event, DataReceived)] == [GOOD]
    (response,) = (event for event in events if isinstance(event, ResponseReceived))
    assert dict(response.headers) | {b":status": b"200"} == {
        b":status": b"200",
        b"content-type": b"application/grpc",
        b"grpc-accept-encoding": b"gzip,identity",
    }


async def test_a_refused_call_is_told_to_stop_sending(raw: Client) -> None:
    stream = raw.begin(**{":path": "/no/such"})
    events = await raw.receive(StreamReset)
    assert [event.error_code for event in events if isinstance(event, StreamReset)] == [0]
    assert [type(event).__name__ for event in events if getattr(event, "stream_id", None) == stream] == [
        "ResponseReceived",
        "StreamEnded",
        "StreamReset",
    ]


async def test_a_call_given_up_is_forgotten(raw: Client, inbox: Inbox) -> None:
    stream = raw.begin()
    raw.h2.send_data(stream, GOOD)
    raw.h2.reset_stream(stream)
    stream = raw.begin()
    raw.h2.send_data(stream, GOOD, end_stream=True)
    raw.h2.reset_stream(stream)  # sent whole and yet given up: consumed, and nobody to answer
    raw.h2.send_data(raw.begin(), GOOD, end_stream=True)
    assert (await raw.status())["grpc-status"] == "0"
    assert len(inbox.batches) == 2


async def test_calls_that_never_end_cannot_fill_the_memory(grpc_port: int, inbox: Inbox) -> None:
    """Five clients hold 15 MiB each: the last is told to come back, and the others' end makes room."""
    clients = [Client(*await asyncio.open_connection("127.0.0.1", grpc_port)) for _ in range(5)]
    answers = [await _hold(client, 15 * MIB) for client in clients]
    assert [answer.get("grpc-status") for answer in answers] == [None, None, None, None, "8"]
    assert answers[-1]["grpc-status-details-bin"]
    clients[0].writer.close()
    await clients[0].writer.wait_closed()
    await asyncio.sleep(0.02)
    assert await _hold(clients[4], 15 * MIB) == {}
    for client in clients[1:]:
        client.writer.close()


async def _hold(client: Client, size: int) -> dict[str, str]:
    """Sends so much of a call and no end; the headers of an answer, if there is one."""
    stream = client.begin()
    while size > 0:
        room = min(size, client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
        if room:
            client.h2.send_data(stream, bytes(room))
            size -= room
        else:
            client.send()
            events = client.h2.receive_data(await asyncio.wait_for(client.reader.read(65536), 5))
            if any(isinstance(event, StreamEnded) for event in events):
                return {
                    bytes(k).decode(): bytes(v).decode() for e in events for k, v in getattr(e, "headers", None) or ()
                }
    client.send()
    client.h2.ping(bytes(8))
    await client.receive(PingAckReceived)
    return {}


async def test_pings_are_answered_on_an_idle_connection(raw: Client) -> None:
    raw.h2.ping(b"12345678")
    (pong,) = [event for event in await raw.receive(PingAckReceived) if isinstance(event, PingAckReceived)]
    assert pong.ping_data == b"12345678"


async def test_the_end_of_the_server_is_announced(inbox: Inbox) -> None:
    listeners = ports.listen(["127.0.0.1"], 0)
    port = listeners[0].getsockname()[1]
    async with receiver.receiving(inbox.consume, listeners):
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        client.h2.send_data(client.begin(), GOOD, end_stream=True)
        assert (await client.status())["grpc-status"] == "0"
    events = await client.receive(ConnectionTerminated)
    assert [event.error_code for event in events if isinstance(event, ConnectionTerminated)] == [0]
    assert await client.reader.read() == b""
    client.writer.close()


async def test_a_broken_frame_is_told_with_the_last_goodbye(raw: Client) -> None:
    raw.writer.write(raw.h2.data_to_send() + b"\0\0\1\4\0\0\0\0\0x")  # a SETTINGS frame of one byte
    events = await raw.receive(ConnectionTerminated)
    assert [event.error_code for event in events if isinstance(event, ConnectionTerminated)] == [
        ErrorCodes.FRAME_SIZE_ERROR
    ]
    assert await raw.reader.read() == b""


async def test_more_than_a_hundred_open_calls_are_too_many(raw: Client) -> None:
    for _ in range(101):
        raw.begin()
    events = await raw.receive(ConnectionTerminated)
    assert [event.error_code for event in events if isinstance(event, ConnectionTerminated)] == [
        ErrorCodes.PROTOCOL_ERROR
    ]


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01" * 10,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\1\4\0\0\0\0\0x",  # a SETTINGS frame of one byte
    ],
)
async def test_what_is_no_http2_is_hung_up_on(grpc_port: int, channel: grpc.aio.Channel, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", grpc_port)
    writer.write(sent)
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await export(channel, "logs", b"")


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


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_the_sdks_exporters_are_served(grpc_port: int, inbox: Inbox, compression: grpc.Compression) -> None:
    def send() -> None:
        target = f"http://localhost:{grpc_port}"
        _send_log(OTLPLogExporter(target, compression=compression))
        _send_span(OTLPSpanExporter(target, compression=compression))
        _send_metric(OTLPMetricExporter(target, compression=compression))

    await asyncio.to_thread(send)
    assert [batch.signal for batch in inbox.batches] == ["logs", "traces", "metrics"]
    assert _names(inbox) == [["said"], ["work"], []]


async def test_the_sdks_exporter_tries_again_when_the_queue_was_full(grpc_port: int, inbox: Inbox) -> None:
    inbox.refusals = 1
    await asyncio.to_thread(_send_log, OTLPLogExporter(f"http://localhost:{grpc_port}"))
    assert (inbox.refusals, _names(inbox)) == (0, [["said"]])


def _names(inbox: Inbox) -> Iterable[list[str]]:
    return [
        [record.name for record in protobuf.records(batch, lambda scope, resource: None)] for batch in inbox.batches
    ]
