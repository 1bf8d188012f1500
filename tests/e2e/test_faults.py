"""Faults that take their time: a bus that stalls for 30 seconds."""

from __future__ import annotations

import asyncio

from aimond.bus import connection
from aimond.bus.service import Service
from aimond.core.snapshot import State
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.daemon.live import nothing_unhandled
from tests.faults.playing import reconnected

STALL = 30.0  # seconds
CHANGES = 10_000


async def test_a_bus_that_stalls_for_thirty_seconds_under_ten_thousand_changes_loses_no_state() -> None:
    source = Standin()
    with PrivateBus() as bus, nothing_unhandled():
        service = Service(source, bus.address)
        await service.start()
        keeping = asyncio.ensure_future(service.run())
        service.publish(source.add())
        bus.stall()
        highest = 0
        try:
            for turn in range(1, CHANGES + 1):
                service.publish(source.state(State.WORKING if turn % 2 else State.WAITING, turns=turn))
                outbox = service._connection._outbox
                highest = max(highest, outbox.unsent if outbox else 0)
                await asyncio.sleep(STALL / CHANGES)
        finally:
            bus.resume()
        assert 0 < highest <= connection.MOST_UNSENT + 10_000
        async with await reconnected(bus) as reader:
            (one,) = await reader.sessions()
            assert (one["Turns"], one["State"]) == (CHANGES, "waiting")
        keeping.cancel()
        await asyncio.wait([keeping])
        await service.close()
