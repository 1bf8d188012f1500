"""Sends to an upstream over gRPC: unary Export calls on h2, one after the other on one connection
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)."""

from __future__ import annotations

import base64
import gzip
import socket
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from msgspec import Struct, field

from aimond.forward import answer
from aimond.forward.answer import Answer
from aimond.forward.upstream import Upstream
from aimond.otlp.record import Signal

LONGEST_ANSWER: Final = 64 * 2**10
PORT: Final = 4317
UNAVAILABLE: Final = 14
_SERVICES: Final[dict[Signal, str]] = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
# What a proxy's HTTP status stands for (http-grpc-status-mapping.md); all others are UNKNOWN.
_HTTP: Final = {
    400: 13,
    401: 16,
    403: 7,
    404: 12,
    429: UNAVAILABLE,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


class _Call(Struct):
    stream: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: str = ""


class GrpcExporter:
    """One connection, made when there is something to send."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._socket: socket.socket | None = None
        self._h2 = H2Connection(H2Configuration(client_side=True))

    def export(self, signal: Signal, body: bytes) -> Answer:
        """Send one request and wait for its answer; trouble on the way is an answer, too."""
        was_open = self._socket is not None
        try:
            return self._call(signal, body)
        except (OSError, ProtocolError) as error:
            self.close()
            if was_open and not isinstance(error, TimeoutError):  # the upstream had ended a connection that was idle
                return self.export(signal, body)
            return Answer(again=True, reason=answer.plain(f"{self._upstream.name}: {error or type(error).__name__}"))

    def close(self) -> None:
        """End the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _call(self, signal: Signal, body: bytes) -> Answer:
        if self._socket is None:
            self._socket = self._upstream.connect(PORT, "h2")
            self._h2 = H2Connection(H2Configuration(client_side=True))
            self._h2.initiate_connection()
        is_packed = self._upstream.compression == "gzip"
        packed = gzip.compress(body, 5, mtime=0) if is_packed else body
        call = _Call(self._h2.get_next_available_stream_id())
        self._h2.send_headers(call.stream, self._headers(signal, is_packed=is_packed))
        self._send(call, bytes([is_packed]) + len(packed).to_bytes(4) + packed)
        while not call.ended:
            self._receive(call)
        return _answer(signal, call)

    def _headers(self, signal: Signal, *, is_packed: bool) -> list[tuple[str, str]]:
        return [
            (":method", "POST"),
            (":scheme", "https" if self._upstream.endpoint.startswith("https:") else "http"),
            (":path", _SERVICES[signal]),
            (":authority", self._upstream.name),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "aimond"),
            ("grpc-timeout", f"{int(self._upstream.timeout * 1000)}m"),
            *([("grpc-encoding", "gzip")] if is_packed else []),
            *((name.lower(), text) for name, text in self._upstream.headers),
        ]

    def _send(self, call: _Call, message: bytes) -> None:
        """As fast as the upstream takes it; it may answer before it has all."""
        start = 0
        while start < len(message) and not call.ended:
            window = min(self._h2.local_flow_control_window(call.stream), self._h2.max_outbound_frame_size)
            if window <= 0:
                self._receive(call)
                continue
            part = message[start : start + window]
            start += len(part)
            self._h2.send_data(call.stream, part, end_stream=start == len(message))
            self._flush()

    def _receive(self, call: _Call) -> None:
        self._flush()
        data = self._socket.recv(65536) if self._socket else b""
        if not data:
            raise ConnectionResetError("the connection was closed")
        for event in self._h2.receive_data(data):
            if isinstance(event, ConnectionTerminated):
                raise ConnectionResetError(f"the connection was ended (HTTP/2 error {event.error_code})")
            if getattr(event, "stream_id", None) != call.stream:
                continue
            if isinstance(event, ResponseReceived | TrailersReceived):
                call.headers.update({name.decode("latin-1"): text.decode("latin-1") for name, text in event.headers})
            elif isinstance(event, DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, call.stream)
                call.body += event.data[: LONGEST_ANSWER - len(call.body)]
            elif isinstance(event, StreamReset):
                call.ended, call.reset = True, f"HTTP/2 error {event.error_code}"
            elif isinstance(event, StreamEnded):
                call.ended = True
        self._flush()

    def _flush(self) -> None:
        if self._socket and (data := self._h2.data_to_send()):
            self._socket.sendall(data)


def _answer(signal: Signal, call: _Call) -> Answer:
    headers = call.headers
    message = unquote(headers.get("grpc-message", call.reset))
    status = headers.get("grpc-status", "")
    if status.isdecimal():
        code = int(status)
    else:
        http = headers.get(":status", "")
        code = UNAVAILABLE if not http or call.reset else _HTTP.get(int(http), 2)
        message = message or f"HTTP {http}"
    details = b""
    with suppress(ValueError):
        coded = headers.get("grpc-status-details-bin", "")
        details = base64.b64decode(coded + "=" * (-len(coded) % 4))
    return answer.of_grpc(signal, code, message, details, bytes(call.body[5:]))
