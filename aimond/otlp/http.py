"""OTLP over HTTP: a post is parsed, queued and answered; /metrics and /healthz tell how we are."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from httptools import parse_url
from msgspec import Struct

from aimond.otlp import encode, jsonform, protobuf, tls
from aimond.otlp.exchange import Answer, Reply, Request, Server
from aimond.otlp.guard import ANYBODY, Guard
from aimond.otlp.http1 import Connection
from aimond.otlp.record import Batch, Encoding, Peer, Signal
from aimond.otlp.status import Outcome, Refused
from aimond.otlp.unpack import GZIP_MAGIC, MAX_BODY, gunzip

_SIGNALS: Final[dict[bytes, Signal | None]] = {
    b"/v1/logs": "logs",
    b"/v1/traces": "traces",
    b"/v1/metrics": "metrics",
    b"/": None,  # where Gemini CLI before 0.34 posts all three
}
_GET: Final = (b"GET", b"HEAD")
_METHODS: Final = {b"/metrics": _GET, b"/healthz": _GET} | dict.fromkeys(_SIGNALS, (b"POST",))
_WHERE: Final = "post to /v1/logs, /v1/traces or /v1/metrics"
# An endpoint with a path of its own comes before these (Gemini CLI 0.61.0 appends to it).
_SUFFIXES: Final = tuple(path for path, signal in _SIGNALS.items() if signal)
_ENCODINGS: Final[dict[bytes, Encoding]] = {
    content_type.encode(): encoding for encoding, content_type in encode.CONTENT_TYPES.items()
}
_COMPRESSIONS: Final = frozenset({b"", b"identity", b"gzip"})
_SECOND: Final = 10**9  # of the clock

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
    metrics: Callable[[str], tuple[bytes, str]] | None = None,
    health: Callable[[], dict[str, Any]] | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> AsyncIterator[Server]:
    """Serves HTTP on the listening sockets, and closes them at the end. Gives what can be counted of connections.

    ``consume`` must return at once; False says that its queue is full. ``max_body`` bounds the bytes as sent and as
    unpacked; ``patience`` is how many seconds a request may take to arrive; ``guard`` says who may send; ``secure`` is
    TLS, for listeners that are not on loopback; ``metrics`` is given the Accept header; ``clock`` is in ns.
    """
    server = Server(_Receiver(consume, max_body, guard, metrics, health, clock), max_body, max_connections, patience)
    loop = asyncio.get_running_loop()
    accepting = [
        await loop.create_server(lambda: Connection(server), sock=listener, **tls.options(listener, secure))
        for listener in listeners
    ]
    try:
        yield server
    finally:
        server.closing = True
        for each in accepting:
            each.close()
        for transport in list(server.open):
            transport.close()


class _Receiver(Struct, frozen=True):
    consume: Consume
    max_body: int
    guard: Guard
    metrics: Callable[[str], tuple[bytes, str]] | None
    health: Callable[[], dict[str, Any]] | None
    clock: Callable[[], int]

    def greet(self, peer: Peer) -> None:
        self.guard.greet(peer)

    def admit(self, request: Request) -> Reply:
        headers = request.headers
        self.guard.check(headers.get(b"host"), headers)
        path = _path(request.target)
        if path not in _METHODS:
            raise Refused(Outcome.UNKNOWN_PATH, _WHERE)
        if request.method not in _METHODS[path]:
            raise Refused(Outcome.WRONG_METHOD, f"use {_METHODS[path][0].decode()}")
        if path not in _SIGNALS:
            return partial(self._tell, path, headers.get(b"accept", b"").decode("latin-1"))
        compression = headers.get(b"content-encoding", b"").strip().lower()
        if compression not in _COMPRESSIONS:
            raise Refused(Outcome.UNKNOWN_COMPRESSION, "compress with gzip or not at all")
        encoding = _encoding(headers.get(b"content-type"))
        if encoding is None and b"content-type" in headers:
            raise Refused(Outcome.UNKNOWN_TYPE, f"send {' or '.join(encode.CONTENT_TYPES.values())}")
        return partial(self._export, _SIGNALS[path], encoding, compression == b"gzip", request.peer)

    def refusal(self, request: Request, refused: Refused) -> Answer:
        outcome = refused.outcome
        encoding = _encoding(request.headers.get(b"content-type")) or "json"
        content = encode.status(outcome, refused.reason, encoding)
        more = f"Retry-After: {outcome.retry_after}\r\n" if outcome.retry_after else ""
        if outcome is Outcome.UNAUTHENTICATED:
            more += "WWW-Authenticate: Bearer\r\n"
        if outcome is Outcome.WRONG_METHOD:
            more += f"Allow: {b', '.join(_METHODS[_path(request.target)]).decode()}\r\n"
        return _answer(outcome.http, self._now(), encode.CONTENT_TYPES[encoding], content, more)

    def _export(
        self, signal: Signal | None, encoding: Encoding | None, is_packed: bool, peer: Peer, body: bytes
    ) -> Answer:
        seen = self.clock()
        if is_packed or body.startswith(GZIP_MAGIC):
            body = gunzip(body, self.max_body)
        encoding = encoding or ("json" if body.lstrip()[:1] == b"{" else "protobuf")
        signal, parsed = _parse(signal, encoding, body)
        if not self.consume(Batch(signal, encoding, parsed, seen // 1000, peer, body)):
            raise Refused(Outcome.BUSY, "too much at once")
        return _accepted(encoding, seen // _SECOND)

    def _tell(self, path: bytes, accept: str, body: bytes) -> Answer:
        if path == b"/metrics" and self.metrics:
            text, content_type = self.metrics(accept)
            return _answer(200, self._now(), content_type, text)
        if path == b"/healthz" and self.health:
            return _answer(200, self._now(), "application/json", json.dumps(self.health()).encode())
        raise Refused(Outcome.UNKNOWN_PATH, _WHERE)

    def _now(self) -> int:
        return self.clock() // _SECOND


def _answer(status: int, now: int, content_type: str, content: bytes, more: str = "") -> Answer:
    """``now``: seconds since the epoch."""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\nDate: {formatdate(now, usegmt=True)}\r\n{more}"
    )
    return head.encode(), content


@lru_cache(maxsize=2)
def _accepted(encoding: Encoding, now: int) -> Answer:
    """What nearly all requests are answered."""
    return _answer(200, now, encode.CONTENT_TYPES[encoding], encode.ACCEPTED[encoding])


@lru_cache(maxsize=16)
def _path(target: bytes) -> bytes:
    """The path that was meant. Raises HttpParserError where there is none."""
    path: bytes = target if target.startswith(b"/") else parse_url(target).path or b"/"
    path = unquote_to_bytes(path.partition(b"?")[0])
    return path if path in _METHODS else next((known for known in _SUFFIXES if path.endswith(known)), path)


@lru_cache(maxsize=16)
def _encoding(content_type: bytes | None) -> Encoding | None:
    return _ENCODINGS.get((content_type or b"").partition(b";")[0].strip().lower())


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
