"""mako and swaync on a real Sway: what appears, what takes its place, and what is gone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aimond.bus.client import Monitor, NotRunning
from tests.e2e.popups import Agent, Popups, popups, start_monitor, until

ASKS = "Claude Code in {} is waiting for you"
DONE = "Claude Code in {} is done"
LONG = "x" * 10_000
STRANGE = {
    "markup": "<b>bold</b> & <img src='/etc/passwd'> &lt; %s",
    "direction": "\u202egnp.exe\u202c\u2066web\u2069\u200f",
    "controls": "one\x1b[31mtwo\x07\x08\u009bthree",
    "hebrew": "שלום עולם",
    "long": LONG,
}


@pytest.fixture(params=["mako", "swaync"])
def daemon(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def desk(daemon: str, tmp_path: Path) -> Iterator[Popups]:
    with popups(daemon, tmp_path) as here:
        yield here


@pytest.fixture
async def monitor(desk: Popups) -> AsyncIterator[Monitor]:
    """aimond and Sway with that daemon, all running."""
    await desk.start_screen()
    await desk.start_daemon()
    start_monitor(desk)
    async with AsyncExitStack() as connected:
        client = await connected.enter_async_context(await Monitor.connect(desk.bus.address))

        async def answers() -> bool:
            try:
                await client.sessions()
            except NotRunning:
                return False
            return True

        await until(answers, "aimond has not started")
        yield client


only_mako = pytest.mark.parametrize("daemon", ["mako"], indirect=True)


async def test_it_appears_is_replaced_and_is_withdrawn(desk: Popups, monitor: Monitor) -> None:
    agent = Agent(monitor, "s-1", "/src/web")
    await agent.works()
    await agent.asks()
    await until(lambda: desk.count() == 1, "no question is shown")
    await desk.rest()
    desk.picture(f"notification-{desk.daemon}-waiting")
    await agent.is_answered()
    await until(lambda: desk.count() == 0, "the answered question is still shown")
    await agent.asks()
    await until(lambda: desk.count() == 1, "no second question is shown")
    await agent.stops()
    if desk.daemon == "mako":
        await until(lambda: desk.texts() == [DONE.format("web")], "the completion has not taken its place")
    assert await agent.state() == "completed"
    assert desk.count() == 1
    await desk.rest()
    desk.picture(f"notification-{desk.daemon}-completed")
    await monitor.acknowledge_all()
    await until(lambda: desk.count() == 0, "the completion that was seen is still shown")


async def test_a_restart_leaves_nothing_stale_and_shows_what_waits(desk: Popups, monitor: Monitor) -> None:
    agents = {name: Agent(monitor, name, f"/src/{name}") for name in ("waits", "answered", "done")}
    for agent in agents.values():
        await agent.works()
    await agents["done"].stops()
    await agents["waits"].asks()
    await agents["answered"].asks()
    await until(lambda: desk.count() == 3, "not all three are shown")
    desk.kill(desk.daemon)
    await agents["answered"].is_answered()
    await desk.start_daemon()
    await until(lambda: desk.count() == 1, "what waits is not shown again, or more than that")
    await agents["waits"].is_answered()
    await until(lambda: desk.count() == 0, "a stale notification is left")


@only_mako
async def test_the_death_of_sway_takes_mako_along_and_all_come_back(desk: Popups, monitor: Monitor) -> None:
    agent = Agent(monitor, "s-1", "/src/web")
    await agent.works()
    await agent.asks()
    await until(lambda: desk.count() == 1, "no question is shown")
    desk.kill("sway")
    desk.kill("mako")
    for left in desk.bus.directory.glob("wayland-*"):
        left.unlink()
    for left in desk.bus.directory.glob("sway-ipc.*"):
        left.unlink()
    await desk.start_screen()
    await desk.start_daemon()
    await until(lambda: desk.texts() == [ASKS.format("web")], "the question is not shown again")


@only_mako
async def test_a_daemon_that_comes_later_shows_what_waits(desk: Popups, monitor: Monitor) -> None:
    desk.kill("mako")
    agent = Agent(monitor, "s-1", "/src/web")
    await agent.works()
    await agent.asks()
    await desk.start_daemon()
    await until(lambda: desk.texts() == [ASKS.format("web")], "the question is not shown")


@only_mako
async def test_a_click_acknowledges(desk: Popups, monitor: Monitor) -> None:
    agent = Agent(monitor, "s-1", "/src/web")
    await agent.works()
    await agent.stops()
    (shown,) = await until(desk.shown, "no completion is shown")
    desk.ask("makoctl", "invoke", "-n", str(shown["id"]), "default")

    async def is_seen() -> bool:
        return await agent.state() == "idle"

    await until(is_seen, "the click was not heard")
    assert desk.count() == 0


@only_mako
async def test_a_burst_is_one_notification(desk: Popups, monitor: Monitor) -> None:
    agents = [Agent(monitor, f"s-{number}", f"/src/project-{number}") for number in range(3)]
    for agent in agents:
        await agent.works()
    for agent in agents:
        await agent.stops()
    await until(lambda: desk.texts() == ["3 agents finished"], "the burst is not one")
    await desk.rest()
    desk.picture("notification-mako-burst")
    await monitor.acknowledge_all()
    await until(lambda: desk.count() == 0, "the burst is still shown")


@only_mako
async def test_nothing_is_shown_while_inhibited(desk: Popups, monitor: Monitor) -> None:
    cookie = await monitor.call("Inhibit", "a test", "a talk")
    agents = {name: Agent(monitor, name, f"/src/{name}") for name in ("waits", "done")}
    for agent in agents.values():
        await agent.works()
    await agents["waits"].asks()
    await agents["done"].stops()
    assert desk.count() == 0
    await monitor.call("Uninhibit", cookie)
    await until(lambda: desk.texts() == [ASKS.format("waits")], "what waits is not shown afterwards")


@pytest.mark.parametrize("name", STRANGE)
async def test_strange_names_are_shown_as_text(desk: Popups, monitor: Monitor, name: str) -> None:
    agent = Agent(monitor, "s-1", f"/src/{STRANGE[name].replace('/', '∕')}")
    await agent.works()
    await agent.asks(STRANGE[name])
    await until(lambda: desk.count() == 1, "no question is shown")
    await desk.rest()
    desk.picture(f"notification-{desk.daemon}-{name}")
    if desk.daemon == "mako":
        (shown,) = desk.shown()
        assert shown["summary"].isprintable()
        assert len(shown["summary"]) < 120
        assert re.match(r"Claude Code in .+ is waiting for you$", shown["summary"])
    await agent.is_answered(STRANGE[name])
    await until(lambda: desk.count() == 0, "the question is still shown")
    assert desk.programs[desk.daemon].poll() is None


def _no_errors(log: str) -> list[str]:
    return [line for line in log.splitlines() if re.search("error|Traceback|please report", line)]


async def test_one_session_never_has_two(desk: Popups, monitor: Monitor) -> None:
    agent = Agent(monitor, "s-1", "/src/web")
    await agent.works()
    told: list[Any] = []
    for _ in range(10):
        await agent.asks()
        told.append(desk.count())
        await agent.is_answered()
        await agent.asks("Write")
        told.append(desk.count())
        await agent.stops()
        told.append(desk.count())
        await agent.works()
    assert max(told) == 1
    await until(lambda: desk.count() == 0, "something is left")
    assert _no_errors((desk.bus.directory / "aimond.log").read_text()) == []
