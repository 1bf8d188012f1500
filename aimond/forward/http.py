"""Sends to an upstream over HTTP/1.1, one request after the other on one connection."""

from __future__ import annotations

import gzip
from http.client import HTTPConnection, HTTPException
from typing import Final

from aimond.forward import answer
from aimond.forward.answer import Answer
from aimond.forward.upstream import Upstream
from aimond.otlp.record import Signal

LONGEST_ANSWER: Final = 64 * 2**10
PORT: Final = 4318


class HttpExporter:
    """One connection, made when there is something to send."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._connection: HTTPConnection | None = None

    def export(self, signal: Signal, body: bytes) -> Answer:
        """Send one request and wait for its answer; trouble on the way is an answer, too."""
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "aimond", **dict(self._upstream.headers)}
        if self._upstream.compression == "gzip":
            body, headers["Content-Encoding"] = gzip.compress(body, 5, mtime=0), "gzip"
        was_open = self._connection is not None
        try:
            return self._post(signal, body, headers)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            if was_open and not isinstance(error, TimeoutError):  # the upstream had ended a connection that was idle
                return self.export(signal, gzip.decompress(body) if "Content-Encoding" in headers else body)
            return Answer(again=True, reason=answer.plain(f"{self._upstream.name}: {error or type(error).__name__}"))

    def _post(self, signal: Signal, body: bytes, headers: dict[str, str]) -> Answer:
        connection = self._connection
        if connection is None:
            connection = HTTPConnection(self._upstream.name, timeout=self._upstream.timeout)
            connection.sock = self._upstream.connect(PORT, "http/1.1")
            self._connection = connection
        connection.request("POST", f"{self._upstream.path}/v1/{signal}", body, headers)
        response = connection.getresponse()
        told = response.read(LONGEST_ANSWER)
        if response.will_close or not response.isclosed():
            self.close()
        return answer.of_http(signal, response.status, {k.lower(): v for k, v in response.getheaders()}, told)

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None
