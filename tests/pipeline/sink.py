"""Takes OTLP/HTTP and keeps it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.pipeline.records import BODIES, Request


class Sink:
    """``requests``: all that came, in its order; ``url``: where."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []

    def of(self, signal: str) -> list[Request]:
        return [request for request in list(self.requests) if request[0] == signal]


@contextmanager
def sink() -> Iterator[Sink]:
    class Taker(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            signal: Any = self.path.rpartition("/")[2]
            found.requests.append((signal, BODIES[signal].FromString(body)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    found = Sink(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
