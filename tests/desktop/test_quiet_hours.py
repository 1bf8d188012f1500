"""Quiet hours, with the clock on the wall under the test's hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from aimond.core.policy import Hours, Policy
from aimond.desktop.notifier import Notifier
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.desktop.conftest import Story, User
from tests.desktop.screen import Screen

WAITS = "Claude Code in web is waiting for you | It asks for permission to use Bash"


@pytest.fixture(params=["UTC", "Europe/Berlin", "Pacific/Auckland"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def hours(now: datetime, seconds: float) -> Hours:
    """Quiet hours that began some time ago, and end in so many seconds."""
    return Hours((now - timedelta(hours=3)).time(), (now + timedelta(seconds=seconds)).time())


@pytest.fixture
async def night(bus: PrivateBus, user: User, source: Standin, zone: str) -> AsyncIterator[dict[str, Any]]:
    """Stories told at night, by the settings of quiet hours."""
    running = []
    stories = {}
    now = datetime.now().astimezone().replace(tzinfo=None)
    for name, policy in {
        "long": Policy(quiet_hours=hours(now, 7200)),
        "short": Policy(quiet_hours=hours(now, 1.5)),
        "waiting": Policy(quiet_hours=hours(now, 7200), waiting_in_quiet_hours=True),
    }.items():
        notifier = Notifier(lambda: bus.address, policy, user.desk(), user.now)
        running.append(asyncio.ensure_future(notifier.run()))
        stories[name] = Story(notifier, Standin())
    yield stories
    for each in running:
        each.cancel()
    await asyncio.wait(running)


def tell(story: Story) -> None:
    story.begins("done", project="other")
    story.begins("waits")
    story.completes("done")
    story.waits("waits")


async def test_what_waits_is_shown_when_the_night_is_over(shown: Screen, night: dict[str, Story]) -> None:
    tell(night["long"])
    tell(night["short"])
    assert night["short"].notifier._timer
    await shown.until(lambda: shown.texts == [WAITS])
    assert night["long"].notifier._board.holds


async def test_questions_may_be_let_through(shown: Screen, night: dict[str, Story]) -> None:
    tell(night["waiting"])
    await shown.until(lambda: shown.texts == [WAITS])


async def test_other_hours_may_end_the_night_at_once(shown: Screen, night: dict[str, Story]) -> None:
    tell(night["long"])
    night["long"].notifier.adopt(Policy())
    await shown.until(lambda: shown.texts == [WAITS])
    assert night["long"].notifier._timer is None
