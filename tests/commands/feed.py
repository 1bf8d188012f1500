"""A command whose lines are read as they come, as a bar reads them."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.busdaemon import PrivateBus

AIMOND = (sys.executable, "-m", "aimond")


class Feed:
    """A running command; ``lines`` is the JSON it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def line(self) -> dict[str, Any]:
        """The next line."""
        assert self.process.stdout
        async with asyncio.timeout(20):
            text = await self.process.stdout.readline()
        assert text, "it has ended"
        self.lines.append(json.loads(text))
        return self.lines[-1]

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line from now on of which that is so."""
        while not holds(await self.line()):
            pass
        return self.lines[-1]

    async def says_nothing_more(self, seconds: float) -> bool:
        assert self.process.stdout
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return not await self.process.stdout.readline()
        return True


@asynccontextmanager
async def feed(bus: PrivateBus, *arguments: str) -> AsyncIterator[Feed]:
    """Run ``aimond`` with these arguments."""
    environment = {**bus.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(*AIMOND, *arguments, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        yield Feed(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
