"""``python -m tests.bench.floor``: a plain aiohttp service that parses but understands nothing, to measure against.

A post is read, parsed as aimond parses it, and answered; one to ``/signal`` is not parsed but sends one signal. Prints
its port.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from dbus_fast import Message
from dbus_fast.aio import MessageBus
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PARSE: Final = {  # all else is logs: Codex 0.80.0 posts them to "/"
    "/v1/traces": ExportTraceServiceRequest.FromString,
    "/v1/metrics": ExportMetricsServiceRequest.FromString,
}
SIGNAL_PATH: Final = "/signal"
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
        if body.startswith(b"\x1f\x8b"):  # aiohttp unpacks what says that it is packed
            body = gzip.decompress(body)
        if request.content_type == "application/json":
            json.loads(body)
        else:
            PARSE.get(request.path, ExportLogsServiceRequest.FromString)(body)
        return web.Response(content_type=request.content_type)

    return answer


async def serve() -> None:
    """Serve until killed."""
    bus = await MessageBus().connect()
    listener = socket.create_server(("127.0.0.1", 0))
    service = web.Application(client_max_size=16 * 2**20)
    service.router.add_post("/{path:.*}", answering(bus))
    runner = web.AppRunner(service, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    print("HTTP on port", listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
