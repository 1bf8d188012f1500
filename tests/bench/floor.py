"""``python -m tests.bench.floor``: a plain aiohttp service that parses but understands nothing, to measure against.

A post is read, parsed as aimond parses it, and answered; one to ``/signal`` is not parsed but sends one signal, one to
``/read`` is not even parsed. Its socket ``floor`` takes what hook programs say, and calls Notify for it. Prints its
port.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PARSE: Final = {  # all else is logs: Codex 0.80.0 posts them to "/"
    "/v1/traces": ExportTraceServiceRequest.FromString,
    "/v1/metrics": ExportMetricsServiceRequest.FromString,
}
SIGNAL_PATH: Final = "/signal"
READ_PATH: Final = "/read"
# As aimond sends them, so that they take as long.
_PATH: Final = "/org/ai/Monitor/session/claude_2dcode_00000000_2d0000_2d4000_2d8000_2d000000000000"
_BODY: Final = [_PATH, "00000000-0000-4000-8000-000000000000", "idle", "working", ""]


def answering(bus: MessageBus) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of all requests."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == SIGNAL_PATH:
            bus.send(Message.new_signal("/org/ai/Monitor", "org.ai.Monitor", "SessionStateChanged", "ossss", _BODY))
            return web.Response()
        if request.path == READ_PATH:
            return web.Response(content_type=request.content_type)
        if body.startswith(b"\x1f\x8b"):  # aiohttp unpacks what says that it is packed
            body = gzip.decompress(body)
        if request.content_type == "application/json":
            json.loads(body)
        else:
            PARSE.get(request.path, ExportLogsServiceRequest.FromString)(body)
        return web.Response(content_type=request.content_type)

    return answer


class Hooked(asyncio.Protocol):
    """A connection of a hook program: when it ends, what it said is parsed, and something is shown."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus, self._said = bus, b""

    def data_received(self, data: bytes) -> None:
        self._said += data

    def connection_lost(self, exc: Exception | None) -> None:
        session = json.loads(self._said)["payload"]["session_id"]
        name, path = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
        hints = {"urgency": Variant("y", 2), "category": Variant("s", "x-floor")}
        body = ["floor", 0, "", "somebody waits", session, ["default", "Focus"], hints, 0]
        self._bus.send(Message(name, path, name, "Notify", signature="susssasa{sv}i", body=body))


async def serve() -> None:
    """Serve until killed."""
    bus = await MessageBus().connect()
    listener = socket.create_server(("127.0.0.1", 0))
    service = web.Application(client_max_size=16 * 2**20)
    service.router.add_post("/{path:.*}", answering(bus))
    runner = web.AppRunner(service, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    hooks = str(Path(os.environ["XDG_RUNTIME_DIR"]) / "floor")
    await asyncio.get_running_loop().create_unix_server(lambda: Hooked(bus), hooks)
    print("HTTP on port", listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
