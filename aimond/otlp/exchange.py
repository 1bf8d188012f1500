"""One request and its answer: what a connection asks of the service it is for, and what all connections share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from aimond.otlp.record import Peer
from aimond.otlp.status import Refused

Answer = tuple[bytes, bytes]  # a head without the empty line that ends it, and the content
Reply = Callable[[bytes], Answer]


class Request(Struct):
    """A request's head. ``headers`` have lower-case names; one that is repeated is joined by commas (RFC 9110, 5.3)."""

    peer: Peer
    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)


class Service(Protocol):
    """What requests are for."""

    def greet(self, peer: Peer) -> None:
        """Somebody has connected. Raises Refused."""

    def admit(self, request: Request) -> Reply:
        """What the request's body will be answered by. Raises Refused, or HttpParserError for an impossible target."""

    def refusal(self, request: Request, refused: Refused) -> Answer:
        """How that is said to the sender of that request."""


class Server(Struct):
    """What all connections share. ``patience``: seconds that a request may take to arrive. ``turned_away`` counts those
    that were one too many, and ``refused`` are those of them that may still read so; ``buffered`` is in bytes. Once it
    is ``closing``, whoever is accepted is hung up on, unheard."""

    service: Service
    max_body: int
    max_connections: int
    patience: float = 60.0
    open: set[asyncio.Transport] = field(default_factory=set)
    refused: set[asyncio.Transport] = field(default_factory=set)
    turned_away: int = 0
    buffered: int = 0
    closing: bool = False
