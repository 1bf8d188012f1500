"""TLS for listeners that others than this machine can reach."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import Any, Final

HANDSHAKE: Final = 10.0  # seconds; meanwhile a connection is not counted
# What is spoken, as ALPN calls it.
HTTP, GRPC = "http/1.1", "h2"


def context(cert: str, key: str, speaks: str) -> ssl.SSLContext:
    """What a listener needs of a certificate chain and its key, both in PEM. Raises OSError."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(cert, key, password=lambda: "")  # an encrypted key is an error and no question
    made.set_alpn_protocols([speaks])
    return made


def is_loopback(listener: socket.socket) -> bool:
    """Whether only programs of this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def options(listener: socket.socket, secure: ssl.SSLContext | None) -> dict[str, Any]:
    """How a server is made on it: loopback is never encrypted, and nothing else ever is not. Raises ValueError."""
    if is_loopback(listener):
        return {}
    if secure is None:
        raise ValueError(f"{listener.getsockname()[0]} is not loopback, and there is no TLS")
    return {"ssl": secure, "ssl_handshake_timeout": HANDSHAKE}
