"""A monitor as a process that is killed and started again, while tapes are sent to it."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sqlite3
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from aimond.bus.client import CallFailed, Monitor, NotRunning
from aimond.otlp.ports import listen
from aimond.sender import _request as request
from aimond.tape import Line, Tape
from tests.busdaemon import PrivateBus
from tests.daemon.sums import Row, said
from tests.daemon.test_command_line import AIMOND

PATIENCE = 30.0  # seconds; metrics wait 10 s for the logs of the same calls


@dataclass
class Mortal:
    """A monitor that can be started, killed and stopped."""

    bus: PrivateBus
    environment: dict[str, str]
    http: int
    process: asyncio.subprocess.Process | None = None
    log: str = ""

    async def start(self) -> None:
        """Start it; does not wait until it is ready."""
        self.process = await asyncio.create_subprocess_exec(*AIMOND, "run", env=self.environment, stderr=PIPE)

    async def ready(self) -> None:
        """Wait until it is."""
        assert self.process
        assert self.process.stderr
        async with asyncio.timeout(PATIENCE):
            while b"is ready" not in (line := await self.process.stderr.readline()):
                self.log += line.decode()
                assert line, f"it ended before it was ready:\n{self.log}"

    async def kill(self) -> None:
        """``kill -9``."""
        assert self.process
        self.process.kill()
        await self._gone()

    async def stop(self) -> None:
        """An orderly end."""
        assert self.process
        self.process.terminate()
        await self._gone()
        assert self.process.returncode == 0, self.log

    async def _gone(self) -> None:
        assert self.process
        _, text = await self.process.communicate()
        self.log += text.decode()

    async def usage(self, period: str, group: str) -> list[Row]:
        """What ``Usage`` answers."""
        async with await Monitor.connect(self.bus.address) as reader:
            return list(await reader.call("Usage", period, group))

    async def properties(self) -> Row:
        """Those of the monitor."""
        async with await Monitor.connect(self.bus.address) as reader:
            return dict(await reader.properties())

    async def until(self, period: str, expected: dict[str, dict[str, Row]]) -> None:
        """Wait until ``Usage`` answers that, by group and name."""
        found: dict[str, dict[str, Row]] = {}
        end = time.monotonic() + PATIENCE
        while found != expected and time.monotonic() < end:
            with suppress(NotRunning, CallFailed):
                found = {
                    group: {row["Group"]: said(row) for row in await self.usage(period, group)} for group in expected
                }
            if found != expected:
                await asyncio.sleep(0.1)
        assert found == expected, self.log

    @asynccontextmanager
    async def sending(self, tapes: list[Tape], chance: random.Random) -> AsyncIterator[None]:
        """Meanwhile send requests of all tapes, beginning anywhere, again and again."""
        lines = [line for tape in tapes for line in tape.lines if line.kind == "otlp"]
        first = chance.randrange(len(lines))

        async def forever() -> None:
            async with self._sender() as session:
                at = first
                while True:
                    if not await self._post(session, lines[at % len(lines)]):
                        await asyncio.sleep(0.02)
                    at += 1

        task = asyncio.create_task(forever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def send(self, tapes: Iterable[Tape]) -> None:
        """Send all requests of these tapes; all of them are understood then."""
        async with self._sender() as session:
            for tape in tapes:
                for line in tape.lines:
                    if line.kind == "otlp":
                        await until(partial(self._post, session, line))  # its queue may be full
            await self.understood(session)

    async def understood(self, session: ClientSession) -> None:
        """Wait until all that was sent has been understood."""

        async def nothing_waits() -> bool:
            async with session.get(f"http://127.0.0.1:{self.http}/metrics") as answer:
                return "aimond_queue_length 0.0" in await answer.text()

        await until(nothing_waits)

    async def call(self, at: float, number: int, *, model: str = "claude-opus-5-5", cost: float = 1) -> None:
        """Tell of a model call of Claude Code's (2.1.330) that ended at that time, seconds since the epoch."""
        told = {
            "event.name": "api_request",
            "session.id": "s",
            "model": model,
            "input_tokens": "10",
            "output_tokens": "1",
            "cost_usd": str(cost),
            "request_id": f"req_{number}",
        }
        pairs = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
        log = {"timeUnixNano": str(round(at * 1e9)), "attributes": pairs}
        scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [log]}
        body = base64.b64encode(json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}).encode()).decode()
        line = Line("otlp", 0, {"signal": "logs", "content_type": "application/json", "body": body})
        async with self._sender() as session:
            assert await self._post(session, line)
            await self.understood(session)

    def _sender(self) -> ClientSession:
        return ClientSession(timeout=ClientTimeout(total=10), connector=TCPConnector(force_close=False))

    async def _post(self, session: ClientSession, line: Line) -> bool:
        """Whether the request was taken."""
        body, headers = request(line, 0)
        url = f"http://127.0.0.1:{self.http}/v1/{line.fields['signal']}"
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status in (200, 429, 503), await answer.text()
                return answer.status == 200
        except (ClientError, OSError):
            return False

    def integrity(self) -> list[Any]:
        """What SQLite finds wrong with the history: ``ok``."""
        state = Path(self.environment["XDG_STATE_HOME"])
        with sqlite3.connect(f"file:{state}/aimond/history.sqlite3?mode=ro", uri=True) as db:
            return [what for (what,) in db.execute("PRAGMA integrity_check")]


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Try again until it is."""
    end = time.monotonic() + PATIENCE
    while not await done():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@asynccontextmanager
async def mortal(home: Path, settings: str = "", **environment: str) -> AsyncIterator[Mortal]:
    """One that was never started, with a history; ``settings``: more of its config.toml."""
    (socket,) = listen(("127.0.0.1",), 0)
    with socket:
        http = socket.getsockname()[1]
    config = home / "aimond" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"{settings}\n[otlp]\nhttp_port = {http}\ngrpc = false\n[sway]\nenabled = false\n"
        "[notifications]\nenabled = false\n"
    )
    with PrivateBus() as bus:
        places = {**bus.environment, "XDG_CONFIG_HOME": str(home), "PYTHONUNBUFFERED": "1", **environment}
        monitor = Mortal(bus, places, http)
        try:
            yield monitor
        finally:
            if monitor.process and monitor.process.returncode is None:
                with suppress(ProcessLookupError):
                    monitor.process.kill()
                await monitor.process.wait()


async def ordeal(monitor: Mortal, tapes: list[Tape], kills: int, chance: random.Random) -> None:
    """Kill it at random moments, starting up included, while everything is sent to it; then send it all once more."""
    async with monitor.sending(tapes, chance):
        for _ in range(kills):
            await monitor.start()
            if chance.random() < 0.9:
                await monitor.ready()
            await asyncio.sleep(chance.random() ** 3)
            await monitor.kill()
    await monitor.start()
    await monitor.ready()
    await monitor.send(tapes)
