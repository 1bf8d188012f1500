"""Notification daemons come and go, and so does the bus; what waits is shown, and nothing that is stale."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aimond.core.policy import Policy
from aimond.desktop.notifier import Notifier
from tests.bus.reader import eventually
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.desktop.conftest import Story, User
from tests.desktop.screen import NAME, Screen, screen

WAITS = "Claude Code in web is waiting for you | It asks for permission to use Bash"
DONE = "Claude Code in web is done | After 1 min"


def is_connected(told: Story) -> bool:
    return told.notifier._server is not None and bool(told.notifier._server._bus_id)


async def test_what_waits_is_shown_as_soon_as_there_is_a_daemon(bus: PrivateBus, told: Story) -> None:
    told.begins("waits")
    told.begins("done", project="other")
    told.waits("waits")
    told.completes("done")
    await eventually(lambda: is_connected(told) and len(told.notifier._shown) == 1)
    async with screen(bus.address) as shown:
        await shown.until(lambda: shown.texts == [WAITS])
        told.goes_on("waits")
        await shown.until(lambda: not shown.shown)


async def test_another_daemon_is_shown_what_still_waits_and_nothing_else(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address) as shown:
        told.begins("waits")
        told.begins("answered", project="other")
        told.begins("done", project="third")
        told.waits("waits")
        told.waits("answered")
        told.completes("done")
        await shown.until(lambda: len(shown.shown) == 3)
    told.goes_on("answered")
    async with screen(bus.address, capabilities=("body",), last=40) as shown:
        await shown.until(lambda: shown.texts == [WAITS])
        assert [call.replaces for call in shown.calls] == [0], "its numbers are not those of the one before"
        assert shown.calls[0].actions == [], "what it can do is asked again"
        told.is_seen("done")
        told.completes("waits")
        await shown.until(lambda: shown.texts == [DONE])
        assert [call.number for call in shown.calls] == [41, 41]
        assert "close" not in " ".join(shown.told)


async def test_a_daemon_that_dies_with_an_answer_due_is_not_waited_for(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address) as shown:
        told.begins("other", project="other")
        told.waits("other")
        await shown.until(lambda: shown.shown)
        shown.is_stalled = True
        told.begins()
        told.waits()
        await shown.until(lambda: shown._late)
    async with screen(bus.address) as shown:
        await shown.until(lambda: len(shown.shown) == 2)
        assert WAITS in shown.texts


async def test_a_daemon_that_refuses_is_not_asked_for_ever(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address) as shown:
        told.begins()
        shown.refuses = True
        told.waits()
        await shown.until(lambda: shown.told.count("refuse"))
        shown.refuses = False
        told.waits(reason="question")
        await shown.until(lambda: shown.texts == ["Claude Code in web is waiting for you | It asks you a question"])
        assert shown.told.count("refuse") == 1


async def test_the_bus_dies_and_comes_back(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address) as shown:
        told.begins()
        told.waits()
        await shown.until(lambda: shown.texts == [WAITS])
        bus.stop()
    bus.start()
    async with screen(bus.address) as shown:
        await shown.until(lambda: shown.texts == [WAITS])
        assert [call.replaces for call in shown.calls] == [0]


async def test_our_connection_is_lost_while_the_daemon_stays(shown: Screen, told: Story) -> None:
    told.begins("one")
    told.begins("two", project="other")
    told.waits("one")
    told.waits("two")
    await eventually(lambda: [each.number for each in told.notifier._shown.values()] == [1, 2])
    before = told.notifier._server
    assert before
    before._bus.disconnect()
    await shown.until(lambda: told.notifier._server is not before)
    told.goes_on("one")
    told.completes("two")
    await shown.until(lambda: [text.split(" | ")[0] for text in shown.texts] == ["Claude Code in other is done"])
    assert shown.calls[-1].replaces == 2


async def test_the_first_notice_starts_a_daemon_that_the_bus_can_start(
    bus: PrivateBus, told: Story, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    program = f"{sys.executable} -c \"open('{started}', 'a').write('once '); exit(1)\""
    (bus.services / "notifications.service").write_text(f"[D-BUS Service]\nName={NAME}\nExec={program}\n")
    await eventually(lambda: is_connected(told))
    assert not started.exists(), "nobody is started for nothing"
    told.begins("waits")
    told.begins("done", project="other")
    told.waits("waits")
    server = told.notifier._server
    assert server
    await eventually(lambda: started.exists() and not server._is_asking)
    told.completes("done")
    told.waits("waits", "question")
    async with screen(bus.address) as shown:
        await shown.until(lambda: shown.texts == ["Claude Code in web is waiting for you | It asks you a question"])
    assert started.read_text() == "once ", "one that cannot be started is not started for every notice"


async def test_what_is_news_at_the_end_is_told_although_nobody_knows_whether_it_is_looked_at(
    bus: PrivateBus, user: User, source: Standin
) -> None:
    async with screen(bus.address) as shown:
        notifier = Notifier(lambda: bus.address, Policy(), user.desk(), user.now)
        running = asyncio.ensure_future(notifier.run())
        told = Story(notifier, source)
        for name in ("unsure", "seen", "before"):
            told.begins(name, project=name)
        told.completes("before")
        await shown.until(lambda: len(shown.shown) == 1)
        user.unsure["unsure"] = asyncio.get_running_loop().create_future()
        user.looks_at.add("seen")
        told.completes("unsure")
        told.completes("seen")
        assert notifier._board.holds
        running.cancel()
        await asyncio.wait([running])
        assert shown.texts == ["2 agents finished | Claude Code in before · 1 min\nClaude Code in unsure · 1 min"]
        user.unsure["unsure"].set_result(True)


async def test_a_question_held_back_is_shown_by_the_next_daemon_only_if_it_may(
    bus: PrivateBus, told: Story, user: User
) -> None:
    user.inhibits = True
    told.begins("one")
    told.begins("two", project="other")
    told.waits("one")
    async with screen(bus.address) as shown:
        await shown.until(lambda: "ask" in shown.told and told.notifier._server and told.notifier._server.capabilities)
        assert shown.shown == {}
        user.inhibits = False
        told.notifier.publish([])
        await shown.until(lambda: shown.texts == [WAITS])


async def test_questions_go_with_us_and_completions_stay(
    bus: PrivateBus, shown: Screen, user: User, source: Standin
) -> None:
    notifier = Notifier(lambda: bus.address, Policy(), user.desk(), user.now)
    running = asyncio.ensure_future(notifier.run())
    told = Story(notifier, source)
    for name in ("waits", "asks", "done"):
        told.begins(name)
    told.waits("waits")
    told.waits("asks")
    told.completes("done")
    await shown.until(lambda: len(shown.shown) == 3)
    running.cancel()
    await shown.until(lambda: shown.texts == [DONE])
    await asyncio.wait([running])


async def test_it_stops_at_whatever_moment_of_connecting_it_is_told_to(bus: PrivateBus, user: User) -> None:
    for moment in range(150):
        notifier = Notifier(lambda: bus.address, Policy(), user.desk(), user.now)
        running = asyncio.ensure_future(notifier.run())
        for _ in range(moment):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=10)
        assert running.cancelled(), moment
