"""The session bus is killed, hangs, or never answers, while tapes play."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest
from dbus_fast.aio import MessageBus

from aimond.bus import connection
from aimond.bus.client import Monitor, NotRunning
from aimond.bus.service import Service
from aimond.core.snapshot import State
from tests.bus.reader import eventually
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.daemon.live import live, nothing_unhandled
from tests.faults.playing import FEW, KEPT, assert_all_right, reconnected, understood

CHANGES = 10_000
MIB = 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_a_bus_that_dies_again_and_again_while_tapes_play_loses_nothing(bus: PrivateBus) -> None:
    async with live(bus, KEPT) as running:
        sent = 0
        for number, tape in enumerate(FEW):
            posting = asyncio.ensure_future(running.post(tape))
            if number % 2:
                bus.stop()
                await asyncio.sleep(0.01)
                bus.start()
            sent += await posting
        await understood(running, sent)
        async with await reconnected(bus) as reader:
            await assert_all_right(running, reader, FEW)


async def test_a_stall_under_ten_thousand_changes_is_bounded_and_the_last_state_is_right(bus: PrivateBus) -> None:
    """What 10,000 changes come to is more than the bus is waited for: it is left, and found again when it goes on."""
    source = Standin()
    service = Service(source, bus.address)
    with nothing_unhandled():
        await service.start()
        keeping = asyncio.ensure_future(service.run())
        service.publish(source.add())
        bus.stall()
        before, highest = resident(), 0
        try:
            for turn in range(1, CHANGES + 1):
                state = State.WORKING if turn % 2 else State.WAITING
                service.publish(source.state(state, turns=turn, title=f"{turn}{'x' * 1000}"))
                outbox = service._connection._outbox
                highest = max(highest, outbox.unsent if outbox else 0)
                if turn % 100 == 0:
                    await asyncio.sleep(0)
            assert connection.MOST_UNSENT < highest <= connection.MOST_UNSENT + 10_000
            assert resident() - before < 4 * connection.MOST_UNSENT
        finally:
            bus.resume()
        async with await reconnected(bus) as reader:
            (one,) = await reader.sessions()
            assert (one["Turns"], one["State"]) == (CHANGES, "waiting")
        keeping.cancel()
        await asyncio.wait([keeping])
        await service.close()


class Silent:
    """In the place of a bus: takes every connection, and answers none."""

    def __init__(self, path: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        with suppress(FileNotFoundError):
            Path(path).unlink()
        self.listener.bind(path)
        self.listener.listen(64)


async def test_a_bus_that_accepts_and_never_answers_is_left(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.2)
    source = Standin()
    service = Service(source, bus.address)
    with nothing_unhandled():
        await service.start()
        keeping = asyncio.ensure_future(service.run())
        bus.stop()
        with closing(Silent(bus.address.partition("=")[2]).listener) as mute:
            mute.setblocking(False)
            mute.settimeout(20)
            for _ in range(3):  # it comes, gives up, and comes again
                with closing((await asyncio.to_thread(mute.accept))[0]) as guest:
                    guest.settimeout(20)
                    while await asyncio.to_thread(guest.recv, 4096):
                        pass
            service.publish(source.add())
        (bus.directory / "bus").unlink()
        bus.start()
        async with await reconnected(bus) as reader:
            assert [one["Id"] for one in await reader.sessions()] == ["one"]
        keeping.cancel()
        await asyncio.wait([keeping])
        await service.close()


async def test_a_command_says_that_the_bus_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimond.bus.client.TIMEOUT", 0.1)
    with closing(Silent(str(tmp_path / "bus")).listener), pytest.raises(NotRunning, match="has not answered"):
        await Monitor.connect(f"unix:path={tmp_path}/bus")


async def test_a_reader_that_never_reads_costs_the_others_nothing(bus: PrivateBus) -> None:
    async with live(bus, KEPT) as running:
        deaf = await MessageBus(bus.address).connect()
        await Monitor(deaf).subscribe()
        deaf._loop.remove_reader(deaf._fd)
        sent = 0
        for tape in FEW:
            sent += await running.post(tape)
        await understood(running, sent)
        await assert_all_right(running, running.reader, FEW)
        outbox = running.daemon._bus._connection._outbox
        assert outbox is not None
        await eventually(lambda: outbox.unsent == 0)
        shown = {session["Path"] for session in await running.reader.sessions()}
        assert shown <= running.seen.keys()
        deaf.disconnect()
