"""Whatever happens in whatever order: in the end the screen shows what is so, once."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from aimond.desktop.notifier import Notifier
from tests.busdaemon import PrivateBus
from tests.desktop.conftest import Story, User
from tests.desktop.screen import Screen, screen

NAMES = "abcd"
QUESTIONS = ("permission:A", "question")


def as_it_should_be(notifier: Notifier, shown: Screen) -> bool:
    wanted = sorted(entry.notice.summary for entry in notifier._board.entries() if entry.notice)
    settled = not any(each.is_due for each in notifier._shown.values())
    return settled and sorted(each.summary for each in shown.shown.values()) == wanted


@pytest.mark.parametrize("seed", range(12))
async def test_the_screen_and_the_truth_agree_in_the_end(
    bus: PrivateBus, notifier: Notifier, told: Story, user: User, seed: int
) -> None:
    chance = random.Random(seed)
    async with AsyncExitStack() as daemon:
        shown: Screen | None = await daemon.enter_async_context(screen(bus.address))
        for name in NAMES:
            told.begins(name, project=name)
        for _ in range(120):
            name, number = chance.choice(NAMES), chance.random()
            if number < 0.3:
                told.waits(name, chance.choice(QUESTIONS))
            elif number < 0.5:
                told.goes_on(name)
            elif number < 0.65:
                told.completes(name)
            elif number < 0.72:
                told.is_seen(name)
            elif number < 0.84 and shown:
                shown.is_stalled = number < 0.76
                if not shown.is_stalled:
                    shown.go_on()
            elif number < 0.87 and shown:
                await daemon.aclose()
                shown = None
            elif number < 0.92 and not shown:
                shown = await daemon.enter_async_context(screen(bus.address, last=chance.randrange(100)))
            elif number < 0.95 and shown and shown.shown and not shown.is_stalled:
                shown.close(chance.choice(list(shown.shown)), chance.choice([1, 2]))
            elif number < 0.97:
                user.late += 4_000_000
            else:
                await asyncio.sleep(chance.random() / 50)
            if chance.random() < 0.4:
                await asyncio.sleep(0)
        shown = shown or await daemon.enter_async_context(screen(bus.address))
        last = shown
        last.go_on()
        await last.until(lambda: as_it_should_be(notifier, last))
