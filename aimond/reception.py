"""All ways in, open: the receivers that the settings ask for, on sockets of systemd or of our own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from aimond import entrance
from aimond.activation import Activation
from aimond.commands import hook
from aimond.config import Config
from aimond.hooks import receive as hooks
from aimond.hooks.listen import AlreadyListening, listening
from aimond.hooks.message import Delivered
from aimond.metrics import Counters
from aimond.otlp import grpc, http, tls
from aimond.otlp.ports import listen
from aimond.otlp.record import Batch

_LOG: Final = logging.getLogger(__name__)


class Inside(Struct, frozen=True):
    """Where what comes in goes to, and what is told of it; none of these may block."""

    consume: Callable[[Batch], bool]
    hooked: Callable[[Delivered], None]
    counters: Counters
    metrics: Callable[[str], tuple[bytes, str]]
    health: Callable[[], dict[str, Any]]


@asynccontextmanager
async def receiving(
    config: Config, hosts: Set[str], activation: Activation, inside: Inside
) -> AsyncIterator[list[str]]:
    """Receives; gives where, in words. At the end nothing more is accepted, and what was read is answered.

    ``hosts`` may change meanwhile. Raises PortInUse, OSError or ConfigError at the start."""
    otlp, where = config.otlp, list[str]()
    guard = entrance.guard(otlp, hosts)
    async with AsyncExitStack() as running:
        if otlp.http:
            sockets = activation.port(otlp.http_port, otlp.bind) or listen(otlp.bind, otlp.http_port)
            where.append(f"OTLP/HTTP on port {sockets[0].getsockname()[1]}")
            inside.counters.http = await running.enter_async_context(
                http.receiving(
                    inside.consume,
                    sockets,
                    max_connections=otlp.connections,
                    guard=guard,
                    secure=entrance.secure(otlp, tls.HTTP, sockets),
                    metrics=inside.metrics,
                    health=inside.health,
                )
            )
        if otlp.grpc:
            sockets = activation.port(otlp.grpc_port, otlp.bind) or listen(otlp.bind, otlp.grpc_port)
            where.append(f"OTLP/gRPC on port {sockets[0].getsockname()[1]}")
            secure = entrance.secure(otlp, tls.GRPC, sockets)
            calls = grpc.receiving(
                inside.consume, sockets, max_connections=otlp.connections, guard=guard, secure=secure
            )
            await running.enter_async_context(calls)
        if config.hooks.socket:
            path = hook.place()
            try:
                listener = activation.path(path) or running.enter_context(listening(Path(path)))
            except (AlreadyListening, OSError) as error:
                _LOG.warning("hooks are not heard: %s", error)
            else:
                inside.counters.hooks = await running.enter_async_context(hooks.receiving(inside.hooked, listener))
                where.append("hooks")
        if unused := ", ".join(activation.rest()):
            _LOG.warning("systemd listens where config.toml does not say so, at %s: run `aimond install` again", unused)
        yield where
