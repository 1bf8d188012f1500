"""The D-Bus side as the daemon sees it."""

from __future__ import annotations

from collections.abc import Sequence

from aimond.bus.connection import Connection
from aimond.bus.objects import Objects
from aimond.bus.signals import Announcer
from aimond.bus.source import Source
from aimond.core.change import Change


class Service:
    """``org.ai.Monitor`` for one source. Nothing here blocks, and nothing but ``start`` raises."""

    def __init__(self, source: Source, address: str | None = None) -> None:
        self._objects = objects = Objects(source, lambda message: self._connection.send(message))
        self._connection = Connection(objects.answer, address, objects.callers.all_gone)
        self._announcer = Announcer(source, self._connection.send, self._connection.flush)

    async def start(self) -> None:
        """Be on the bus when it returns. AlreadyRunning(pid) if another one is; OSError if there is no bus."""
        self._announcer.begin()
        await self._connection.open()

    async def run(self) -> None:
        """Stay on the bus, or come back to it; runs until it is cancelled."""
        await self._connection.keep()

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell readers what changed; totals or the health of telemetry may be different without that."""
        if changes:
            self._announcer.publish(changes)
        self._announcer.totals_changed()

    async def close(self) -> None:
        """Say what is still due and leave the bus."""
        self._announcer.end()
        await self._connection.close()
