"""OTLP over gRPC: unary Export calls on h2, nothing else of gRPC.

h2 is the protocol, this file its sockets and the few rules that gRPC adds
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). There are no threads or tasks, and timers only for
calls that do not arrive at once: an idle connection costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError, StreamClosedError, StreamIDTooLowError
from msgspec import Struct, field

from aimond.otlp import encode, protobuf, tls
from aimond.otlp.guard import ANYBODY, Guard
from aimond.otlp.record import Batch, Peer, Signal, peer_of
from aimond.otlp.status import NO_MEMORY, Outcome, Refused
from aimond.otlp.unpack import MAX_BODY, gunzip

_LOG: Final = logging.getLogger(__name__)
_MAX_BUFFERED: Final = 64 * 2**20  # of all calls together

_SIGNALS: Final[dict[str, Signal]] = {
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}
_COMPRESSIONS: Final = frozenset({b"identity", b"gzip"})
_PREFIX: Final = 5  # of a message: compressed or not, and its length

Consume = Callable[[Batch], bool]


@asynccontextmanager
async def receiving(
    consume: Consume,
    listeners: Iterable[socket.socket],
    *,
    max_body: int = MAX_BODY,
    max_connections: int = 512,
    patience: float = 60.0,
    guard: Guard = ANYBODY,
    secure: ssl.SSLContext | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> AsyncIterator[None]:
    """Serves gRPC on the listening sockets, and closes them at the end; parameters as of ``http.receiving``."""
    receiver = _Receiver(consume, max_body, max_connections, patience, guard, clock)
    loop = asyncio.get_running_loop()
    made = partial(_Connection, receiver)
    accepting = [await loop.create_server(made, sock=each, **tls.options(each, secure)) for each in listeners]
    try:
        yield
    finally:
        receiver.closing = True
        for each in accepting:
            each.close()
        for connection in list(receiver.connections):
            connection.say_goodbye()


class _Receiver(Struct):
    consume: Consume
    max_body: int
    max_connections: int
    patience: float
    guard: Guard
    clock: Callable[[], int]
    connections: set[_Connection] = field(default_factory=set)
    buffered: int = 0
    closing: bool = False


class _Call(Struct):
    signal: Signal
    body: bytearray = field(default_factory=bytearray)
    timer: asyncio.TimerHandle | None = None


class _Connection(asyncio.Protocol):
    """One client. ``calls`` are those whose request is still arriving; an answered call is forgotten at once."""

    def __init__(self, receiver: _Receiver) -> None:
        self.receiver = receiver
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.calls: dict[int, _Call] = {}
        self.peer = Peer("grpc")
        self.refused: Refused | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.receiver.closing:  # it was accepted, or its handshake begun, before
            self.transport.abort()
            return
        self.peer = peer_of("grpc", transport.get_extra_info)
        try:
            self.receiver.guard.greet(self.peer)
        except Refused as refused:
            self.refused = refused
        self.h2.initiate_connection()
        if len(self.receiver.connections) >= self.receiver.max_connections:
            self.say_goodbye()
            return
        self.receiver.connections.add(self)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.receiver.connections.discard(self)
        for stream in list(self.calls):
            self._forget(stream)

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.h2.receive_data(data):
                self._react(event)
            self._send()
        except ProtocolError:  # not HTTP/2, or broken beyond repair: h2 has written a GOAWAY that says how
            self._send()
            self.transport.close()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not listened to either."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def say_goodbye(self) -> None:
        self.h2.close_connection()
        self._send()
        self.transport.close()

    def _react(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self.transport.close()
        elif isinstance(event, RequestReceived | DataReceived | StreamEnded | StreamReset):
            stream = event.stream_id
            try:
                _REACTIONS[type(event)](self, stream, event)
            except Refused as refused:
                self._refuse(stream, refused)
            except MemoryError:
                _LOG.warning("there was no memory for a request")
                self._refuse(stream, Refused(Outcome.BUSY, NO_MEMORY))

    def _refuse(self, stream: int, refused: Refused) -> None:
        self._forget(stream)
        self._answer(stream, refused.outcome, refused.reason)

    def _too_slow(self, stream: int) -> None:
        self._refuse(stream, Refused(Outcome.TOO_SLOW, f"not all came in {self.receiver.patience:.0f} seconds"))
        self._send()

    def _begin(self, stream: int, event: RequestReceived) -> None:
        if self.refused:
            raise self.refused
        self.receiver.guard.check((headers := dict(event.headers)).get(b":authority", headers.get(b"host")), headers)
        if headers.get(b"content-type", b"").partition(b";")[0].partition(b"+")[0] != b"application/grpc":
            raise Refused(Outcome.UNKNOWN_TYPE, "this port speaks gRPC")
        path = headers.get(b":path", b"").decode("latin-1")
        if path not in _SIGNALS:
            raise Refused(Outcome.UNKNOWN_PATH, f"unknown method {path[:200]}")
        if headers.get(b"grpc-encoding", b"identity") not in _COMPRESSIONS:
            raise Refused(Outcome.UNKNOWN_COMPRESSION, "compress with gzip or not at all")
        self.calls[stream] = call = _Call(_SIGNALS[path])
        if not event.stream_ended:
            call.timer = asyncio.get_running_loop().call_later(self.receiver.patience, self._too_slow, stream)

    def _continue(self, stream: int, event: DataReceived) -> None:
        self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        if call := self.calls.get(stream):
            call.body += event.data
            self.receiver.buffered += len(event.data)
            if len(call.body) > _PREFIX + self.receiver.max_body:
                raise Refused(Outcome.TOO_LARGE, f"more than {self.receiver.max_body} bytes")
            if self.receiver.buffered > _MAX_BUFFERED:
                raise Refused(Outcome.BUSY, "too much at once")

    def _end(self, stream: int, event: StreamEnded) -> None:
        if call := self._forget(stream):
            seen = self.receiver.clock() // 1000
            body = _message(call.body, self.receiver.max_body)
            try:
                parsed = protobuf.parse(call.signal, body)
            except ValueError as error:
                raise Refused(Outcome.UNDECODABLE, str(error)) from None
            if not self.receiver.consume(Batch(call.signal, "protobuf", parsed, seen, self.peer, body)):
                raise Refused(Outcome.BUSY, "too much at once")
            self._answer(stream, Outcome.ACCEPTED)

    def _reset(self, stream: int, event: StreamReset) -> None:
        self._forget(stream)

    def _forget(self, stream: int) -> _Call | None:
        call = self.calls.pop(stream, None)
        if call:
            self.receiver.buffered -= len(call.body)
            if call.timer:
                call.timer.cancel()
        return call

    def _answer(self, stream: int, outcome: Outcome, reason: str = "") -> None:
        """Answers the call, and stops it when it is still sending."""
        headers = [
            (":status", "415" if outcome is Outcome.UNKNOWN_TYPE else "200"),
            ("content-type", "application/grpc"),
            ("grpc-accept-encoding", b",".join(sorted(_COMPRESSIONS)).decode()),
        ]
        trailers = encode.grpc_status(outcome, reason)
        with suppress(StreamClosedError, StreamIDTooLowError):  # the client gave up meanwhile, or had sent all
            if outcome is Outcome.ACCEPTED:
                self.h2.send_headers(stream, headers)
                self.h2.send_data(stream, encode.ACCEPTED_GRPC)
                self.h2.send_headers(stream, trailers, end_stream=True)
            else:
                self.h2.send_headers(stream, headers + trailers, end_stream=True)
                self.h2.reset_stream(stream, ErrorCodes.NO_ERROR)

    def _send(self) -> None:
        if data := self.h2.data_to_send():
            self.transport.write(data)


def _message(body: bytearray, limit: int) -> bytes:
    """The one message of a unary call (Length-Prefixed-Message: compressed flag, 4 bytes of length, message)."""
    if len(body) < _PREFIX or int.from_bytes(body[1:_PREFIX]) != len(body) - _PREFIX:
        raise Refused(Outcome.UNDECODABLE, "not exactly one gRPC message")
    message = bytes(body[_PREFIX:])
    return gunzip(message, limit) if body[0] else message


_REACTIONS: Final[dict[type[Event], Callable[[_Connection, int, Any], None]]] = {
    RequestReceived: _Connection._begin,
    DataReceived: _Connection._continue,
    StreamEnded: _Connection._end,
    StreamReset: _Connection._reset,
}
