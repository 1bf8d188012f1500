"""A live aimond on a session bus of its own, and all that it tells there."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimond.bus.client import CallFailed, Monitor, NotRunning, Signal
from tests.busdaemon import PrivateBus
from tests.e2e import unit

READY = re.compile(r"ready.*OTLP/HTTP on port (\d+).*OTLP/gRPC on port (\d+)")
CONFIG = "[otlp]\nhttp_port = {http}\ngrpc_port = {grpc}\n"
SESSION = "org.ai.Monitor.Session"


@dataclass(frozen=True)
class Moment:
    """A change of state: ``at`` it was heard of; by the session's properties it has been so ``since``, says ``by``.

    Times are ns since the epoch."""

    at: int
    state: str
    reason: str
    since: int
    by: str


@dataclass
class Story:
    """What was told of one session. The times are those of arrival, ns since the epoch; ``reasons`` is what Explain
    said after the newest change of state, the oldest first."""

    properties: dict[str, Any] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    completed: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    attention: list[str] = field(default_factory=list)
    removed: str = ""
    removed_at: int = 0

    @property
    def states(self) -> list[str]:
        """The states it came to, in their order."""
        return [moment.state for moment in self.moments]


class Live:
    """A running aimond: where it receives, the lines of its ``log``, and by session id the ``stories`` it told.

    ``places`` is the environment by which hooks find it, and ``aimond setup`` its ports; ``environment`` is its own."""

    def __init__(
        self, http: str, grpc: str, log: list[str], places: dict[str, str], environment: dict[str, str] | None = None
    ) -> None:
        self.http, self.grpc, self.log, self.places, self.environment = http, grpc, log, places, environment or {}
        self.stories: dict[str, Story] = {}
        self._ids: dict[str, str] = {}
        self._told = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()

    def story(self, session_id: str) -> Story:
        """The story of a session, empty if none was told."""
        return self.stories.get(session_id) or Story()

    async def follow(self, client: Monitor) -> None:
        """Write down every signal, for as long as there is a bus."""
        with contextlib.suppress(NotRunning):
            async for signal in client.changes():
                self._write_down(signal, time.time_ns())
                self._told.set()
                if signal.name == "SessionStateChanged":
                    asking = asyncio.create_task(self._ask_why(client, signal.values["id"]))
                    self._asking.add(asking)
                    asking.add_done_callback(self._asking.discard)

    async def until(self, holds: Callable[[], Any], within: float) -> bool:
        """Wait for signals until a condition on the stories holds; false if it does not within that many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not holds():
                    self._told.clear()
                    await self._told.wait()
        return bool(holds())

    async def _ask_why(self, client: Monitor, session_id: str) -> None:
        with contextlib.suppress(NotRunning, CallFailed):  # it may be gone
            self.stories[session_id].reasons = list(reversed(await client.explain(session_id)))

    def _write_down(self, signal: Signal, at: int) -> None:
        values = signal.values
        if signal.name == "InterfacesAdded":
            properties = values["interfaces"][SESSION]
            self._ids[values["object"]] = properties["Id"]
            self.stories.setdefault(properties["Id"], Story()).properties.update(properties)
        elif signal.name == "PropertiesChanged" and values["interface_name"] == SESSION:
            self.stories[self._ids[signal.path]].properties.update(values["changed_properties"])
        elif "id" in values:
            story = self.stories[values["id"]]
            match signal.name:
                case "SessionStateChanged":
                    since, by = story.properties["StateSince"] * 1000, story.properties["Evidence"]
                    story.moments.append(Moment(at, values["new"], values["reason"], since, by))
                case "SessionCompleted":
                    story.completed.append((at, values["summary"]))
                case "AttentionNeeded":
                    story.attention.append(values["reason"])
                case "SessionRemoved":
                    story.removed, story.removed_at = values["reason"], at


@contextlib.asynccontextmanager
async def live(directory: Path, more: str = "", **environment: str) -> AsyncIterator[Live]:
    """Start aimond and follow it; ``directory`` is for its settings, of which ``more`` are those beside its ports, and
    ``environment`` what else it is given."""
    if unit.inside():
        async with _live_unit(more, **environment) as monitor:
            yield monitor
        return
    config = directory / "aimond" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(CONFIG.format(http=0, grpc=0) + more)
    with PrivateBus() as bus:
        places = {"XDG_CONFIG_HOME": str(directory), "XDG_RUNTIME_DIR": str(bus.directory)}
        command = [sys.executable, "-m", "aimond", "run"]
        given = {**bus.environment, **places, **environment}
        process = await asyncio.create_subprocess_exec(*command, env=given, stderr=PIPE)
        assert process.stderr
        log: list[str] = []
        where: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        reading = asyncio.create_task(_read(process.stderr, log, where))
        try:
            async with await Monitor.connect(bus.address) as client:
                await client.subscribe()
                http, grpc = await asyncio.wait_for(where, 20)
                config.write_text(CONFIG.format(http=http, grpc=grpc) + more)  # real ones, for `aimond setup`
                monitor = Live(f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}", log, places, given)
                following = asyncio.create_task(monitor.follow(client))
                yield monitor
            await following
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            await reading


@contextlib.asynccontextmanager
async def _live_unit(more: str, **environment: str) -> AsyncIterator[Live]:
    """The same of the service of this login; its log is a file."""
    assert not environment, "its environment is systemd's"
    desktop = unit.Unit()
    config, runtime = desktop.config.parents[1], desktop.environment["XDG_RUNTIME_DIR"]
    desktop.config.write_text(CONFIG.format(http=desktop.http, grpc=desktop.grpc) + more)
    with desktop.monitor():
        async with await Monitor.connect(desktop.environment["DBUS_SESSION_BUS_ADDRESS"]) as client:
            await client.subscribe()
            places = {"XDG_CONFIG_HOME": str(config), "XDG_RUNTIME_DIR": runtime}
            where = f"http://127.0.0.1:{desktop.http}", f"127.0.0.1:{desktop.grpc}"
            monitor = Live(*where, [f"see {unit.LOG}"], places, desktop.environment)
            following = asyncio.create_task(monitor.follow(client))
            yield monitor
            following.cancel()


async def _read(stderr: asyncio.StreamReader, log: list[str], where: asyncio.Future[tuple[str, str]]) -> None:
    """Keep the log; the first line that tells the two ports is waited for."""
    async for line in stderr:
        log.append(line.decode())
        if not where.done() and (ready := READY.search(log[-1])):
            where.set_result((ready[1], ready[2]))
    if not where.done():
        where.set_exception(AssertionError("".join(["aimond ended before it was ready:\n", *log])))
