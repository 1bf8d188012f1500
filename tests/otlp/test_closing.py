"""Who comes in the moment of closing is hung up on: an answer would say that it was taken."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from bodies import METHODS, body
from h2.connection import H2Connection
from inbox import Inbox

from aimond.otlp import grpc, http, ports, tls

LOGS = body("logs", "protobuf")


def http_request() -> bytes:
    head = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(LOGS) + LOGS


def grpc_request() -> bytes:
    client = H2Connection()
    client.initiate_connection()
    head = {":method": "POST", ":scheme": "http", ":path": METHODS["logs"], ":authority": "localhost"}
    client.send_headers(1, [*head.items(), ("content-type", "application/grpc")])
    client.send_data(1, bytes(1) + len(LOGS).to_bytes(4) + LOGS, end_stream=True)
    return bytes(client.data_to_send())


WAYS: dict[str, tuple[Callable[..., AbstractAsyncContextManager[Any]], Callable[[], bytes]]] = {
    "http": (http.receiving, http_request),
    "grpc": (grpc.receiving, grpc_request),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("turns", range(6))
def test_nothing_is_taken_after_it(way: str, turns: int) -> None:
    """However many turns of the loop the connection is old: accepted, made, heard."""
    serve, request = WAYS[way]

    async def story() -> None:
        inbox = Inbox()
        (listener,) = ports.listen(["127.0.0.1"], 0)
        with socket.socket() as client:
            async with serve(inbox.consume, [listener]):
                client.connect(listener.getsockname())
                client.sendall(request())
                for _ in range(turns):
                    await asyncio.sleep(0)
            before = len(inbox.batches)
            await asyncio.sleep(0.05)
            assert len(inbox.batches) == before

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


@pytest.mark.parametrize("way", WAYS)
async def test_nor_after_a_handshake_that_was_under_way(inbox: Inbox, certificate: Path, way: str) -> None:
    serve, request = WAYS[way]
    secure = tls.context(str(certificate), str(certificate), tls.HTTP if way == "http" else tls.GRPC)
    (listener,) = ports.listen(["0.0.0.0"], 0)
    with socket.socket() as client:
        async with serve(inbox.consume, [listener], secure=secure):
            client.connect(("127.0.0.1", listener.getsockname()[1]))
            await asyncio.sleep(0.05)
        assert await asyncio.to_thread(goes_on, client, request(), certificate) in (b"", None)
    assert inbox.batches == []


def goes_on(client: socket.socket, request: bytes, certificate: Path) -> bytes | None:
    """What it is answered over TLS; None when it is hung up on before."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    trusted.set_alpn_protocols([tls.HTTP, tls.GRPC])
    client.settimeout(20)
    try:
        with trusted.wrap_socket(client, server_hostname="localhost") as encrypted:
            encrypted.sendall(request)
            return encrypted.recv(4096)
    except (OSError, ssl.SSLError):
        return None
