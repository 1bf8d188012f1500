"""The name, a bus that stalls, and a bus that dies."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from aimond.bus import connection
from aimond.bus.connection import AlreadyRunning, session_address
from aimond.bus.service import Service
from aimond.core.snapshot import State
from tests.bus.reader import NAME, OBJECT_MANAGER, ONE, SESSION, Reader, eventually, reading
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus


@pytest.fixture
async def kept(service: Service) -> AsyncIterator[Service]:
    keeping = asyncio.create_task(service.run())
    yield service
    keeping.cancel()
    await asyncio.wait([keeping])
    assert keeping.cancelled()


def connected(service: Service) -> bool:
    bus = service._connection._bus
    return bus is not None and bus.connected


async def test_a_second_one_is_told_who_the_first_is(bus: PrivateBus, service: Service, reader: Reader) -> None:
    second = Service(Standin(), bus.address)
    with pytest.raises(AlreadyRunning) as refusal:
        await second.start()
    assert refusal.value.pid == os.getpid()
    assert str(os.getpid()) in str(refusal.value)
    assert await reader.result("ListSessions") == []


async def test_the_name_is_free_again_after_closing(bus: PrivateBus, service: Service) -> None:
    await service.close()
    second = Service(Standin(), bus.address)
    await second.start()
    async with reading(bus.address) as reader:
        assert await reader.result("ListSessions") == []
    await second.close()


async def test_without_a_bus_it_does_not_start(bus: PrivateBus) -> None:
    bus.stop()
    with pytest.raises(OSError):
        await Service(Standin(), bus.address).start()


async def test_a_stalled_bus_loses_nothing(bus: PrivateBus, kept: Service, source: Standin, reader: Reader) -> None:
    kept.publish(source.add())
    await reader.heard()
    before = kept._connection._bus
    bus.stall()
    try:
        for turn in range(1, 1501):
            kept.publish(source.state(State.WORKING if turn % 2 else State.IDLE, turns=turn))
        assert before is not None
        assert kept._connection._outbox is not None
        assert kept._connection._outbox.unsent > 100_000, "the bus took it all: it did not stall"
        await asyncio.sleep(0.05)
        assert connected(kept)
    finally:
        bus.resume()
    heard = await reader.heard()
    assert [signal.body[1]["Turns"].value for signal in heard if signal.path == ONE] == list(range(1, 1501))
    assert [signal.member for signal in heard].count("SessionStateChanged") == 1500
    assert kept._connection._bus is before


async def test_a_bus_that_stalls_for_too_long_is_given_up_and_found_again(
    bus: PrivateBus, kept: Service, source: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOST_UNSENT", 10_000)
    kept.publish(source.add())
    bus.stall()
    try:
        for turn in range(1, 2001):
            kept.publish(source.state(State.WORKING if turn % 2 else State.IDLE, turns=turn))
        assert not connected(kept)
    finally:
        bus.resume()
    await eventually(lambda: connected(kept))
    async with reading(bus.address) as reader:
        assert (await reader.properties(ONE, SESSION))["Turns"].value == 2000


async def test_a_new_bus_shows_all_sessions_again(
    bus: PrivateBus, kept: Service, source: Standin, caplog: pytest.LogCaptureFixture
) -> None:
    kept.publish([*source.add("one"), *source.add("two")])
    bus.stop()
    kept.publish([*source.add("three"), *source.details("one", output_tokens=3), *source.remove("exited", "two")])
    await eventually(lambda: not connected(kept))
    kept.publish(source.add("four"))
    await asyncio.sleep(0.3)
    bus.start()
    await eventually(lambda: connected(kept))
    async with reading(bus.address) as reader:
        managed = await reader.result("GetManagedObjects", interface=OBJECT_MANAGER)
        assert sorted(one[SESSION]["Id"].value for one in managed.values()) == ["four", "one", "three"]
        assert managed[ONE][SESSION]["OutputTokens"].value == 3
        kept.publish(source.state(State.WAITING))
        heard = await reader.heard()
        assert [(signal.interface, signal.member) for signal in heard] == [
            ("org.freedesktop.DBus.Properties", "PropertiesChanged"),
            (NAME, "SessionStateChanged"),
            ("org.freedesktop.DBus.Properties", "PropertiesChanged"),
        ]
    assert "lost the session bus" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_name_taken_on_the_new_bus_is_waited_for(
    bus: PrivateBus, kept: Service, source: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "FIRST_RETRY", 0.6)
    monkeypatch.setattr(connection, "LAST_RETRY", 0.6)
    kept.publish(source.add())
    bus.stop()
    await eventually(lambda: not connected(kept))
    await asyncio.sleep(0.05)
    bus.start()
    hasty = Service(Standin(), bus.address)
    await hasty.start()
    await asyncio.sleep(0.7)
    assert not connected(kept)
    await hasty.close()
    await eventually(lambda: connected(kept))
    async with reading(bus.address) as reader:
        assert len(await reader.result("ListSessions")) == 1


async def test_publishing_to_nobody_costs_little(bus: PrivateBus, kept: Service, source: Standin) -> None:
    kept.publish(source.add())
    bus.stop()
    await eventually(lambda: not connected(kept))
    begin = time.perf_counter()
    for turn in range(1000):
        kept.publish(source.state(State.WORKING, turns=turn))
    assert time.perf_counter() - begin < 1


def test_the_bus_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/there")
    assert session_address() == "unix:path=/there"
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert session_address() == "unix:path=/run/user/7/bus"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert session_address() == f"unix:path=/run/user/{os.getuid()}/bus"
