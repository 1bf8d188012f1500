"""OTLP over HTTP: a post is parsed, queued and answered; /metrics and /healthz tell how we are."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from aimond.otlp import encode, jsonform, origin, protobuf
from aimond.otlp.record import Batch, Encoding, Peer, Signal, peer_of
from aimond.otlp.status import Outcome, Refused
from aimond.otlp.unpack import GZIP_MAGIC, MAX_BODY, gunzip

_SIGNALS: Final[dict[str, Signal | None]] = {
    "/v1/logs": "logs",
    "/v1/traces": "traces",
    "/v1/metrics": "metrics",
    "/": None,  # where Gemini CLI before 0.34 posts all three
}
_METHODS: Final = {"/metrics": "GET", "/healthz": "GET"} | dict.fromkeys(_SIGNALS, "POST")
_WHERE: Final = "post to /v1/logs, /v1/traces or /v1/metrics"
# An endpoint with a path of its own comes before these (Gemini CLI 0.61.0 appends to it).
_SUFFIXES: Final = tuple(path for path, signal in _SIGNALS.items() if signal)
_ENCODINGS: Final[dict[str, Encoding]] = {
    content_type: encoding for encoding, content_type in encode.CONTENT_TYPES.items()
}
_COMPRESSIONS: Final = frozenset({"", "identity", "gzip"})
# The end of a connection tells that its process ended, so we end none (Claude Code 2.1.330 keeps one for all it sends).
_FOREVER: Final = 10 * 365 * 86400.0

Consume = Callable[[Batch], bool]


@asynccontextmanager
async def receiving(
    consume: Consume,
    listeners: Iterable[socket.socket],
    *,
    max_body: int = MAX_BODY,
    hosts: frozenset[str] = frozenset(),
    metrics: Callable[[], tuple[bytes, str]] | None = None,
    health: Callable[[], dict[str, Any]] | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> AsyncIterator[None]:
    """Serves HTTP on the listening sockets, and closes them at the end.

    ``consume`` must return at once; False says that its queue is full. ``max_body`` bounds the bytes as sent and as
    unpacked; ``hosts`` are names that requests may be addressed to besides localhost; ``clock`` is in ns.
    """
    receiver = _Receiver(consume, max_body, hosts, metrics, health, clock)
    server = _Server(
        receiver,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=_FOREVER,
        logger=_logger,
    )
    loop = asyncio.get_running_loop()
    accepting = [await loop.create_server(server, sock=listener) for listener in listeners]
    try:
        yield
    finally:
        for each in accepting:
            each.close()
        server.pre_shutdown()  # wakes what idles, or shutdown would wait for it
        await server.shutdown(timeout=1)


class _Server(web.Server):
    """Knows who is at the other end of each connection, which is found out once."""

    def __init__(self, receiver: _Receiver, **more: Any) -> None:
        super().__init__(receiver.answer, **more)
        self._peers = receiver.peers

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._peers[handler] = peer_of("http", transport.get_extra_info)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._peers.pop(handler, None)


@dataclass(frozen=True, slots=True)
class _Receiver:
    consume: Consume
    max_body: int
    hosts: frozenset[str]
    metrics: Callable[[], tuple[bytes, str]] | None
    health: Callable[[], dict[str, Any]] | None
    clock: Callable[[], int]
    peers: dict[web.RequestHandler, Peer] = field(default_factory=dict)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        encoding = _ENCODINGS.get(request.content_type)
        path = request.path
        if path not in _METHODS:
            path = next((known for known in _SUFFIXES if path.endswith(known)), path)
        try:
            origin.check(request.headers.get("Host"), request.headers.get("Origin"), self.hosts)
            if path not in _METHODS:
                raise Refused(Outcome.UNKNOWN_PATH, _WHERE)
            if request.method != _METHODS[path]:
                raise Refused(Outcome.WRONG_METHOD, f"use {_METHODS[path]}")
            if path in _SIGNALS:
                return await self._export(request, _SIGNALS[path], encoding)
            return self._tell(path)
        except Refused as refused:
            return _refusal(refused, path, encoding or "json")

    async def _export(
        self, request: web.BaseRequest, signal: Signal | None, encoding: Encoding | None
    ) -> web.StreamResponse:
        compression = request.headers.get("Content-Encoding", "").strip().lower()
        if compression not in _COMPRESSIONS:
            raise Refused(Outcome.UNKNOWN_COMPRESSION, "compress with gzip or not at all")
        if encoding is None and "Content-Type" in request.headers:
            raise Refused(Outcome.UNKNOWN_TYPE, f"send {' or '.join(_ENCODINGS)}")
        body = await self._body(request)
        seen = self.clock() // 1000
        if compression == "gzip" or body.startswith(GZIP_MAGIC):
            body = gunzip(body, self.max_body)
        encoding = encoding or ("json" if body.lstrip()[:1] == b"{" else "protobuf")
        signal, parsed = _parse(signal, encoding, body)
        peer = self.peers.get(request.protocol) or Peer("http")
        if not self.consume(Batch(signal, encoding, parsed, seen, peer)):
            raise Refused(Outcome.BUSY, "too much at once")
        if request.keep_alive and request.version >= HttpVersion11:
            return _ACCEPTED[encoding]
        return web.Response(body=encode.ACCEPTED[encoding], content_type=encode.CONTENT_TYPES[encoding])

    async def _body(self, request: web.BaseRequest) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            if "100-continue" in request.headers.get("Expect", "").lower():
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            while chunk := await request.content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > self.max_body:
                    raise Refused(Outcome.TOO_LARGE, f"more than {self.max_body} bytes")
        except (RequestPayloadError, ConnectionError) as error:
            raise Refused(Outcome.UNDECODABLE, f"the body broke off: {error}") from None
        return b"".join(chunks)

    def _tell(self, path: str) -> web.Response:
        if path == "/metrics" and self.metrics:
            text, content_type = self.metrics()
            return web.Response(body=text, headers={"Content-Type": content_type})
        if path == "/healthz" and self.health:
            return web.Response(body=json.dumps(self.health()).encode(), content_type="application/json")
        raise Refused(Outcome.UNKNOWN_PATH, _WHERE)


class _Accepted(web.StreamResponse):
    """What nearly all requests are answered: bytes that stand ready, the same object for all of them. aiohttp takes as
    long to make an answer as to read the request (3.14)."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        content = encode.ACCEPTED[encoding]
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {encode.CONTENT_TYPES[encoding]}\r\nContent-Length: {len(content)}\r\n"
        )
        self._bytes = head.encode() + b"Date: %b\r\n\r\n" + content

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send it."""
        if request.transport:
            request.transport.write(self._bytes % rfc822_formatted_time().encode())
            await request.writer.drain()  # who reads no answers is not listened to

    async def write_eof(self, data: bytes = b"") -> None:
        """It is sent."""


def _refusal(refused: Refused, path: str, encoding: Encoding) -> web.Response:
    outcome = refused.outcome
    headers = {"Retry-After": str(outcome.retry_after)} if outcome.retry_after else {}
    if outcome is Outcome.WRONG_METHOD:
        headers["Allow"] = _METHODS[path]
    return web.Response(
        status=outcome.http,
        headers=headers,
        body=encode.status(outcome, refused.reason, encoding),
        content_type=encode.CONTENT_TYPES[encoding],
    )


_ACCEPTED: Final[dict[Encoding, _Accepted]] = {encoding: _Accepted(encoding) for encoding in encode.ACCEPTED}


def _parse(signal: Signal | None, encoding: Encoding, body: bytes) -> tuple[Signal, Any]:
    """Raises Refused for a body that is no request, or that does not say of which signal when the path does not."""
    try:
        if encoding == "json":
            document = jsonform.parse(body)
            signal = signal or jsonform.signal_of(document)
            if signal:
                return signal, document
        elif signal:
            return signal, protobuf.parse(signal, body)
        elif sniffed := protobuf.sniff(body):
            return sniffed
    except ValueError as error:
        raise Refused(Outcome.UNDECODABLE, str(error)) from None
    raise Refused(Outcome.UNDECODABLE, f"neither logs nor traces nor metrics: {_WHERE}")


def _is_ours(entry: logging.LogRecord) -> bool:
    """aiohttp logs a traceback for every malformed request; those are normal, our own errors are not."""
    return not (entry.exc_info and isinstance(entry.exc_info[1], HttpProcessingError))


_logger: Final = logging.getLogger(__name__)
_logger.addFilter(_is_ours)
