"""Listening sockets, and who holds the port when there is none to be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

from aimond.process import peer, proc

_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class PortInUse(Exception):  # noqa: N818
    """Somebody else listens on this port; ``holder`` is for people ("python3 (pid 123)"), "" when unknown."""

    def __init__(self, port: int, holder: str) -> None:
        super().__init__(f"port {port} is in use by {holder or 'another program'}")
        self.port = port
        self.holder = holder


def listen(hosts: Iterable[str], port: int) -> list[socket.socket]:
    """One listening socket per address, all on one port (0: any free one). Raises PortInUse, or OSError.

    An IPv6 address is left out on a machine without IPv6.
    """
    with ExitStack() as on_error:
        listeners: list[socket.socket] = []
        for host in hosts:
            try:
                listener = on_error.enter_context(_listener(host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise PortInUse(port, proc.called(peer.listener(port))) from None
                if ":" in host and error.errno in _NO_IPV6:
                    continue
                raise
            listeners.append(listener)
            port = listener.getsockname()[1]
        on_error.pop_all()
        return listeners


def _listener(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=100)
