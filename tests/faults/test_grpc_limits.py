"""gRPC is bounded like HTTP: in connections, and in the time that a call may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, Event, StreamEnded

from aimond.otlp import grpc as receiver
from aimond.otlp.ports import listen
from tests.daemon.live import SERVICES
from tests.faults.playing import GENEROUS

HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", SERVICES["logs"]),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
]


@asynccontextmanager
async def serving(connections: int = 512, patience: float = 60.0) -> AsyncIterator[int]:
    listeners = listen(["127.0.0.1"], 0)
    async with receiver.receiving(lambda batch: True, listeners, max_connections=connections, patience=patience):
        yield listeners[0].getsockname()[1]


async def heard(port: int, until: type[Event], begin: bool) -> list[Event]:
    """What a client hears that begins a call, if it does, and never ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    h2 = H2Connection()
    h2.initiate_connection()
    if begin:
        h2.send_headers(h2.get_next_available_stream_id(), HEADERS)
    writer.write(h2.data_to_send())
    events: list[Event] = []
    async with asyncio.timeout(GENEROUS):
        while not any(isinstance(event, until) for event in events):
            data = await reader.read(65536)
            assert data, "the connection has ended without a word"
            events += h2.receive_data(data)
    writer.close()
    return events


async def test_a_call_that_never_ends_is_told_that_it_took_too_long() -> None:
    async with serving(patience=0.1) as port:
        events = await heard(port, StreamEnded, begin=True)
        told = {name: value for event in events for name, value in getattr(event, "headers", None) or ()}
        assert told[b"grpc-status"] == b"4"


async def test_one_connection_too_many_is_said_goodbye_to_and_the_next_is_served() -> None:
    async with serving(connections=1) as port:
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await heard(port, ConnectionTerminated, begin=False)
        first.close()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.unary_unary(SERVICES["logs"])(b"", wait_for_ready=True, timeout=GENEROUS)
