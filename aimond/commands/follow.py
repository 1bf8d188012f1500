"""Follows the monitor through its absence, its restarts and the death of the bus; asleep while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from aimond.bus.client import CallFailed, Monitor, NotRunning, Signal
from aimond.commands.mirror import Mirror

# A burst is one change: a turn that ends says five things within some milliseconds.
PAUSE: Final = 0.05
# Seconds between attempts while there is no session bus, the one thing that nobody tells the end of.
FIRST_RETRY: Final = 0.5
LAST_RETRY: Final = 30.0


class Follower:
    """Keeps ``mirror`` up to date and calls ``changed`` when it may differ, at most every ``PAUSE`` seconds.

    ``monitor`` is the connection for calls, None while there is no bus. The service is never started, unless ``start``.
    """

    def __init__(self, changed: Callable[[], None], *, start: bool = False) -> None:
        self.mirror = Mirror()
        self.monitor: Monitor | None = None
        self._changed = changed
        self._start = start
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> NoReturn:
        """Follow until cancelled."""
        delay = FIRST_RETRY
        while True:
            try:
                async with await Monitor.connect() as monitor:
                    self.monitor, delay = monitor, FIRST_RETRY
                    await self._follow(monitor)
            except (NotRunning, CallFailed) as error:
                self.monitor = None
                self._lose(error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RETRY)

    async def _follow(self, monitor: Monitor) -> None:
        await monitor.subscribe()
        await self._read(monitor)
        if self._start and self.mirror.off:
            await self._ask_to_start(monitor)
        async for signal in monitor.changes():
            if signal.name == "NameOwnerChanged" or self.mirror.off:
                await self._read_or_lose(monitor, signal)
            elif self.mirror.apply(signal):
                self._soon()

    async def _read_or_lose(self, monitor: Monitor, signal: Signal) -> None:
        if signal.name == "NameOwnerChanged" and not signal.values["new_owner"]:
            self._lose(NotRunning())
        else:
            await self._read(monitor)

    async def _ask_to_start(self, monitor: Monitor) -> None:
        """Have the bus start the service; that it is there, NameOwnerChanged tells."""
        try:
            await monitor.start()
        except (NotRunning, CallFailed) as error:
            self._lose(error)

    async def _read(self, monitor: Monitor) -> None:
        """Read everything; what cannot be read now, the next signal of the service will make us read."""
        try:
            sessions, properties = await monitor.sessions(), await monitor.properties()
        except (NotRunning, CallFailed) as error:
            self._lose(error)
        else:
            self.mirror.reset(properties, sessions)
            self._soon()

    def _lose(self, error: Exception) -> None:
        self.mirror.lose(str(error))
        self._soon()

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._changed()
