"""HTTP/1.1 on asyncio: bytes become requests, bounded in size, number and time, and answers go back in their order.

llhttp is the protocol (httptools, which uvicorn uses too), this file its sockets and the bounds that it lacks. There
are no tasks, and timers only for requests that do not arrive in one piece: an idle connection costs nothing, and stays
for as long as its client likes, for it is that client's process (Claude Code 2.1.330 keeps one for all it sends).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from aimond.otlp.exchange import Answer, Reply, Request, Server
from aimond.otlp.record import Peer, peer_of
from aimond.otlp.status import NO_MEMORY, Outcome, Refused

MAX_HEAD: Final = 64 * 2**10  # bytes that bring neither a body nor the end of a request, after the first read
_MAX_BUFFERED: Final = 64 * 2**20  # of all requests that are still arriving together
_MAX_UNREAD: Final = 2**20  # answers that their client has not taken yet
_MAX_DRAINED: Final = 64 * 2**20  # after the last answer
_LINGER: Final = 5.0  # seconds, for the client to read the last answer: who closes at once may take it back (RST)
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_KEPT: Final = frozenset(  # all that is kept of a head
    b"accept authorization connection content-encoding content-length content-type expect host origin sec-fetch-site "
    b"transfer-encoding upgrade x-aimond-token".split()
)
_LOG: Final = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """One client. Without a parser it has had its last answer, and is only waited for to read it."""

    transport: asyncio.Transport
    peer: Peer
    _body: bytes | bytearray

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser: Any = HttpRequestParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._unheard = 0  # bytes that brought nothing; all after the last answer
        self._held = 0  # bytes, of those that the server counts as buffered
        self._is_read = True
        self._forget()

    def _forget(self) -> None:
        """The request is answered, or will not be."""
        self._request: Request | None = None
        self._reply: Reply | None = None
        self._refused: Refused | None = None
        self._body, self._size = b"", 0
        self._server.buffered -= self._held
        self._held = 0
        if self._timer:
            self._timer.cancel()
            self._timer = None

    # -- the socket ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._server.closing:  # it was accepted, or its handshake begun, before
            self.transport.abort()
            return
        self.peer = peer_of("http", transport.get_extra_info)
        try:
            self._server.service.greet(self.peer)
            if len(self._server.open) >= self._server.max_connections:
                self._server.turned_away += 1
                raise Refused(Outcome.CROWDED, "too many connections")
        except Refused as refused:
            if len(self._server.refused) >= self._server.max_connections:
                self.transport.abort()
                return
            self._server.refused.add(self.transport)
            self._end(refused)
        else:
            self._server.open.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self.transport)
        self._server.refused.discard(self.transport)
        self._forget()
        self._parser = None  # which knows us, and would keep us

    def data_received(self, data: bytes) -> None:
        self._unheard += len(data)
        if self._parser is None:
            if self._unheard > _MAX_DRAINED:
                self.transport.abort()
            return
        try:
            self._feed(data)
            if self._request is not None:
                self._wait()
        except Refused as refused:
            self._end(refused)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not listened to either."""
        self._is_read = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_read = True
        self.transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        """Raises Refused for what ends the connection; what only ends a request has been answered."""
        while data:
            try:
                self._parser.feed_data(data)
                return
            except HttpParserUpgrade as upgrade:
                data = self._without_upgrade(data[upgrade.args[0] :])
            except HttpParserError as error:
                if isinstance(error.__context__, Refused):  # raised below, and wrapped by the parser
                    raise error.__context__ from None
                if isinstance(error.__context__, MemoryError):
                    raise Refused(Outcome.BUSY, NO_MEMORY) from None
                if self._parser is not None:
                    raise Refused(Outcome.UNDECODABLE, f"this is no HTTP: {error}") from None
                return

    def _without_upgrade(self, rest: bytes) -> bytes:
        """The request that offers to go on in another protocol, as if it did not (RFC 9110, 7.8), and what follows. The
        parser cannot be told: to it, whatever follows the head is that protocol already."""
        request = self._request
        if request is None or request.method == b"CONNECT":
            raise Refused(Outcome.UNKNOWN_PATH, "this is no proxy")
        headers = {name: value for name, value in request.headers.items() if name != b"upgrade"}
        headers[b"connection"] = b"close" if b"close" in headers[b"connection"].lower() else b"keep-alive"
        head = b"".join(b"%b: %b\r\n" % header for header in headers.items())
        version = self._parser.get_http_version().encode()
        self._parser = HttpRequestParser(self)
        return b"%b %b HTTP/%b\r\n%b\r\n%b" % (request.method, request.target, version, head, rest)

    def _wait(self) -> None:
        """Some of a request is here: bound what of it is kept, and for how long."""
        if self._unheard > MAX_HEAD:
            raise Refused(Outcome.HEAD_TOO_LARGE, f"more than {MAX_HEAD} bytes of headers")
        self._server.buffered += len(self._body) - self._held
        self._held = len(self._body)
        if self._server.buffered > _MAX_BUFFERED:
            raise Refused(Outcome.BUSY, "too much at once")
        if self._timer is None:
            late = Refused(Outcome.TOO_SLOW, f"not all came in {self._server.patience:.0f} seconds")
            self._timer = asyncio.get_running_loop().call_later(self._server.patience, self._end, late)

    # -- what the parser finds ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._request = Request(self.peer)

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if (name := name.lower()) in _KEPT and self._request is not None:
            headers = self._request.headers
            headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        self._unheard = 0
        request, parser = self._request, self._parser
        if request is None or parser is None:
            return
        request.method = parser.get_method()
        if parser.should_upgrade():
            return
        may_wait = b"100-continue" in request.headers.get(b"expect", b"").lower()
        try:
            self._reply = self._server.service.admit(request)
        except Refused as refused:
            self._refused = refused
            if may_wait:
                raise
        if int(request.headers.get(b"content-length", b"0")) > self._server.max_body:
            raise self._too_large()
        if may_wait and parser.get_http_version() != "1.0":
            self.transport.write(_GO_ON)

    def on_body(self, data: bytes) -> None:
        self._unheard = 0
        self._size += len(data)
        if self._size > self._server.max_body:
            raise self._too_large()
        if self._refused:
            return
        if self._body:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        else:
            self._body = data

    def on_message_complete(self) -> None:
        self._unheard = 0
        request, parser = self._request, self._parser
        if request is None or parser is None or not (self._reply or self._refused):
            return
        if not self._is_read and self.transport.get_write_buffer_size() > _MAX_UNREAD:
            raise Refused(Outcome.BUSY, "answers are not read")
        answer = self._answer_to(request)
        self._forget()
        is_last = not parser.should_keep_alive()
        if b"connection" in request.headers and not is_last and parser.get_http_version() == "1.0":
            answer = (answer[0] + b"Connection: keep-alive\r\n", answer[1])
        self._write(answer, is_last, request.method)

    # -- answers ------------------------------------------------------------------------------------

    def _answer_to(self, request: Request) -> Answer:
        refused = self._refused
        if self._reply and not refused:
            try:
                return self._reply(bytes(self._body))
            except Refused as told:  # by no other name: that would be a ring with this frame, and all that it unpacked
                return self._server.service.refusal(request, told)
            except MemoryError:
                _LOG.warning("there was no memory for a request of %d bytes", self._size)
                refused = Refused(Outcome.BUSY, NO_MEMORY)
            except Exception:
                _LOG.exception("a request was not served; please report this")
        broken = refused or Refused(Outcome.BROKEN, "an error of the monitor, which its log tells of")
        return self._server.service.refusal(request, broken)

    def _end(self, refused: Refused) -> None:
        """The last answer."""
        request = self._request or Request(self.peer)
        self._forget()
        self._write(self._server.service.refusal(request, refused), True, request.method)

    def _write(self, answer: Answer, is_last: bool, method: bytes) -> None:
        if self.transport.is_closing():
            return
        end = b"Connection: close\r\n\r\n" if is_last else b"\r\n"
        self.transport.write(answer[0] + end + (b"" if method == b"HEAD" else answer[1]))
        if is_last:
            self._parser = None
            if self.transport.can_write_eof():  # not with TLS
                self.transport.write_eof()
            self._timer = asyncio.get_running_loop().call_later(_LINGER, self.transport.abort)

    def _too_large(self) -> Refused:
        return Refused(Outcome.TOO_LARGE, f"more than {self._server.max_body} bytes")
