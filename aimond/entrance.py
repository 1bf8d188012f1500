"""Who is let in, as config.toml has it: the guard of the receivers, and their TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Set
from socket import socket

from aimond.config import ConfigError, secret
from aimond.otlp import tls
from aimond.otlp.guard import Guard
from aimond.otlp.record import Peer
from aimond.process import peer as peers
from aimond.sections import Otlp


def guard(otlp: Otlp, hosts: Set[str]) -> Guard:
    """Whom the settings let in; ``hosts`` may change meanwhile. Raises ConfigError."""
    token = secret(otlp).encode()
    return Guard(hosts, token) if otlp.allow_other_users else Guard(hosts, token, _is_foreign)


def secure(otlp: Otlp, speaks: str, listeners: Iterable[socket]) -> ssl.SSLContext | None:
    """TLS for those of the listeners that are not on loopback; None if all are. Raises ConfigError."""
    outside = [listener for listener in listeners if not tls.is_loopback(listener)]
    if not outside:
        return None
    name = outside[0].getsockname()[0]
    if not (otlp.tls_cert and otlp.tls_key):
        raise ConfigError(f"otlp: {name} is not loopback: `tls_cert` and `tls_key` are needed, and a token")
    if not secret(otlp):
        raise ConfigError(f"otlp: {name} is not loopback: a token is needed too, which `aimond setup --token` makes")
    try:
        return tls.context(otlp.tls_cert, otlp.tls_key, speaks)
    except (OSError, ValueError) as error:
        raise ConfigError(f"otlp.tls_cert, otlp.tls_key: {error}") from None


def _is_foreign(peer: Peer) -> bool:
    inode = peers.owned(peer.local, peer.remote)
    peer.inode = inode or 0
    return inode is None
