"""A whole daemon on a private bus, fed over real sockets, read over D-Bus."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from aiohttp import ClientSession

from aimond.bus.client import Monitor, NotRunning, Signal
from aimond.config import Config
from aimond.daemon import Daemon
from aimond.tape import Tape, unpacked
from tests.busdaemon import PrivateBus

SESSION = "org.ai.Monitor.Session"
UNTOLD = {"Path", "LastActivity"}  # no property; told with others only
SERVICES = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


@dataclass
class Live:
    """A running daemon, and what a reader has seen of it: the newest properties of each session that ever was."""

    http: int
    grpc: int
    reader: Monitor
    daemon: Daemon
    signals: list[Signal] = field(default_factory=list)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}{path}"

    async def follow(self) -> None:
        """Collect signals for ever."""
        async for signal in self.reader.changes():
            self.signals.append(signal)
            values = signal.values
            if signal.name == "InterfacesAdded":
                self.seen[values["object"]] = dict(values["interfaces"][SESSION])
            elif signal.name == "PropertiesChanged" and signal.path in self.seen:
                self.seen[signal.path].update(values["changed_properties"])

    async def until_understood(self, requests: int) -> None:
        """Wait until the daemon has worked off that many requests and said what is due."""
        async with ClientSession() as session, asyncio.timeout(20):
            while True:
                async with session.get(self.url("/metrics")) as answer:
                    text = await answer.text()
                taken = sum(float(n) for n in re.findall(r"^aimond_requests_total{.*} (.*)$", text, re.MULTILINE))
                if taken >= requests and "aimond_queue_length 0.0" in text:
                    break
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.35)  # counters are told at most four times a second

    async def until_told(self) -> None:
        """Wait until the reader has heard of all that the daemon would answer."""
        async with asyncio.timeout(20):
            while not await self._is_told():
                pass

    async def _is_told(self) -> bool:
        sessions = await self.reader.sessions()
        await asyncio.sleep(0.05)  # what came before the answer is taken in
        return all(
            self.seen[session["Path"]].get(name) == value
            for session in sessions
            if session["Path"] in self.seen  # it has come since the start
            for name, value in session.items()
            if name not in UNTOLD
        )

    async def post(self, tape: Tape) -> int:
        """Send the tape's requests over HTTP, as fast as they are taken."""
        sent = 0
        async with ClientSession() as session:
            for line in tape.lines:
                if line.kind != "otlp":
                    continue
                headers = {"Content-Type": line.fields["content_type"] or "application/x-protobuf"}
                if line.fields["transport"] == "grpc":
                    headers = {"Content-Type": "application/x-protobuf"}
                if line.fields["content_encoding"]:
                    headers["Content-Encoding"] = line.fields["content_encoding"]
                path = line.fields["path"] if line.fields["transport"] == "http" else f"/v1/{line.fields['signal']}"
                async with session.post(self.url(path), data=line.body, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                sent += 1
        return sent

    async def call(self, tape: Tape) -> int:
        """Send the tape's requests over gRPC; JSON is not a thing there, those tapes cannot be sent."""
        sent = 0
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc}", compression=grpc.Compression.Gzip) as channel:
            for line in tape.lines:
                if line.kind == "otlp":
                    export = channel.unary_unary(SERVICES[line.fields["signal"]])
                    await export(unpacked(line))
                    sent += 1
        return sent


@contextmanager
def nothing_unhandled(but: str = "") -> Iterator[None]:
    """No exception may end in the loop, or in a log that asks for a report, ``but`` those whose text has that."""
    loop, unhandled = asyncio.get_running_loop(), []
    reported = logging.Handler(logging.ERROR)
    reported.emit = lambda record: unhandled.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("aimond").addHandler(reported)
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        logging.getLogger("aimond").removeHandler(reported)
    assert [each for each in unhandled if not but or but not in str(each)] == []


@asynccontextmanager
async def live(
    bus: PrivateBus, more: dict[str, Any] | None = None, *, but: str = "", **otlp: Any
) -> AsyncIterator[Live]:
    """A daemon with any free ports; without a history, but for what ``more`` sections of the settings say. ``but``: as
    of ``nothing_unhandled``."""
    config = Config.model_validate(
        {
            "history": {"enabled": False},
            **(more or {}),
            "otlp": {"http_port": 0, "grpc_port": 0, **otlp},
            "hooks": {"socket": False},
            "sway": {"enabled": False},
        }
    )
    with nothing_unhandled(but):
        async with _live(bus, config) as running:
            yield running


@asynccontextmanager
async def _live(bus: PrivateBus, config: Config) -> AsyncIterator[Live]:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    daemon = Daemon(config, bus.address)
    serving = asyncio.ensure_future(daemon.run(ready.set_result))
    await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    http_port, grpc_port = (int(port) for port in re.findall(r"port (\d+)", ready.result()))
    async with await Monitor.connect(bus.address) as reader:
        running = Live(http_port, grpc_port, reader, daemon)
        await reader.subscribe()
        following = asyncio.ensure_future(running.follow())
        try:
            yield running
        finally:
            for task in (following, serving):
                task.cancel()
                with suppress(asyncio.CancelledError, NotRunning):  # the reader's bus may be gone
                    await task
