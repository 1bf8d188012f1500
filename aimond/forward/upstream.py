"""Where to send, and how to get there."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from msgspec import Struct


class Upstream(Struct, frozen=True):
    """``endpoint``: a URL without the signals' paths; ``timeout`` in seconds, of each step; ``ca``, ``cert``, ``key``:
    PEM files."""

    endpoint: str
    headers: tuple[tuple[str, str], ...] = ()
    compression: str = "gzip"
    timeout: float = 10.0
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """What comes before the signals' paths."""
        return urlsplit(self.endpoint).path.rstrip("/")

    def connect(self, default_port: int, protocol: str) -> socket.socket:
        """A connection, of TLS for https, with that ALPN. Raises OSError."""
        url = urlsplit(self.endpoint)
        host = url.hostname or "localhost"
        port = url.port or (443 if url.scheme == "https" else default_port)
        plain = socket.create_connection((host, port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme != "https":
            return plain
        try:
            return self.context(protocol).wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def context(self, protocol: str) -> ssl.SSLContext:
        """For TLS. Raises OSError when a file cannot be read, or is none."""
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.cert:
            context.load_cert_chain(self.cert, self.key or None)
        context.set_alpn_protocols([protocol])
        return context
