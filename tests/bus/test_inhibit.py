"""Inhibit: held until its caller ends it, or leaves the bus."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aimond.bus.service import Service
from tests.bus.reader import NAME, PROPERTIES, Reader, eventually, reading
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus


async def inhibited(reader: Reader) -> bool:
    return bool((await reader.result("Get", NAME, "Inhibited", takes="ss", interface=PROPERTIES)).value)


async def test_it_holds_until_it_is_ended(service: Service, reader: Reader) -> None:
    assert not await inhibited(reader)
    cookies = [await reader.result("Inhibit", "a test", "talk", takes="ss") for _ in range(2)]
    assert len(set(cookies)) == 2
    await reader.result("Uninhibit", cookies[0], takes="u")
    assert await inhibited(reader)
    await reader.result("Uninhibit", cookies[1], takes="u")
    assert not await inhibited(reader)


async def test_the_property_says_that_it_changed(service: Service, reader: Reader) -> None:
    cookie = await reader.result("Inhibit", "a test", "talk", takes="ss")
    service.publish([])
    await eventually(lambda: len(reader._heard) == 1)
    await reader.result("Uninhibit", cookie, takes="u")
    service.publish([])
    await eventually(lambda: len(reader._heard) == 2)
    values = [message.body[1] for message in await reader.heard()]
    assert [{name: value.value for name, value in each.items()} for each in values] == [
        {"Inhibited": True},
        {"Inhibited": False},
    ]


async def test_it_ends_with_its_caller(bus: PrivateBus, service: Service, source: Standin, reader: Reader) -> None:
    async with reading(bus.address) as other:
        await other.result("Inhibit", "other", "", takes="ss")
        await reader.result("Inhibit", "one", "", takes="ss")
    await eventually(lambda: set(source.inhibitions._held.values()) == {reader.bus.unique_name})
    assert await inhibited(reader)


async def test_a_caller_that_does_not_wait_for_its_cookie_holds_nothing(
    bus: PrivateBus, service: Service, source: Standin, reader: Reader
) -> None:
    """It may be gone before anybody asked the bus to tell."""
    for _ in range(20):
        program = "busctl", f"--address={bus.address}", "--expect-reply=no", "call", NAME, "/org/ai/Monitor", NAME
        hasty = await asyncio.create_subprocess_exec(*program, "Inhibit", "ss", "hasty", "")
        assert await hasty.wait() == 0
    await eventually(lambda: source.inhibitions._held == {} and not service._objects.callers._watched)
    await eventually(lambda: source.inhibitions._held == {} and source.inhibitions._last >= 1)


async def test_nobody_ends_anothers(bus: PrivateBus, service: Service, reader: Reader) -> None:
    async with reading(bus.address) as other:
        cookie = await other.result("Inhibit", "other", "", takes="ss")
        assert await reader.error("Uninhibit", cookie, takes="u") == f"{NAME}.Error.InvalidArgument"
        assert await inhibited(reader)


async def test_a_caller_has_a_bound(service: Service, reader: Reader) -> None:
    cookies = [await reader.result("Inhibit", "greedy", "", takes="ss") for _ in range(16)]
    limit = "org.freedesktop.DBus.Error.LimitsExceeded"
    assert await reader.error("Inhibit", "greedy", "", takes="ss") == limit
    await reader.result("Uninhibit", cookies[0], takes="u")
    assert await reader.result("Inhibit", "greedy", "", takes="ss")


async def test_who_held_one_once_may_hold_one_again(
    bus: PrivateBus, service: Service, source: Standin, reader: Reader
) -> None:
    async with reading(bus.address) as other:
        await other.result("Uninhibit", await other.result("Inhibit", "other", "", takes="ss"), takes="u")
        await other.result("Inhibit", "other", "", takes="ss")
    await eventually(lambda: not source.inhibitions)


async def test_the_death_of_the_bus_ends_all(bus: PrivateBus, service: Service, source: Standin) -> None:
    keeping = asyncio.create_task(service.run())
    with suppress(EOFError):
        async with reading(bus.address) as other:
            await other.result("Inhibit", "one", "", takes="ss")
            assert source.inhibited()
            bus.stop()
    await eventually(lambda: not source.inhibited())
    keeping.cancel()
    await asyncio.wait([keeping])
