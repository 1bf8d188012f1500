from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from aimond.core.policy import Policy
from aimond.core.snapshot import SessionSnapshot, State
from aimond.desktop.desk import Desk
from aimond.desktop.notifier import Notifier
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.desktop.screen import Screen, screen

LONG = 60_000_000


class User:
    """Who sits before the screen: what is looked at, what was clicked, and the clock on the wall."""

    def __init__(self) -> None:
        self.looks_at: set[str] = set()
        self.unsure: dict[str, asyncio.Future[bool]] = {}
        self.inhibits = False
        self.focused: list[tuple[str, str, str]] = []
        self.acknowledged: list[str] = []
        self.late = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self.late

    def desk(self) -> Desk:
        return Desk(
            is_inhibited=lambda: self.inhibits,
            is_looked_at=self._looks_at,
            can_focus=_has_terminal,
            focus=self._focus,
            acknowledge=lambda agent, session_id: self.acknowledged.append(f"{agent}:{session_id}"),
        )

    def _looks_at(self, session: SessionSnapshot) -> bool | Awaitable[bool]:
        return self.unsure.get(session.id) or session.id in self.looks_at

    async def _focus(self, agent: str, session_id: str, token: str) -> bool:
        self.focused.append((agent, session_id, token))
        return True


class Story:
    """What happens to sessions, told to the notifier batch by batch."""

    def __init__(self, notifier: Notifier, source: Standin) -> None:
        self.notifier, self.source = notifier, source

    def begins(self, name: str = "one", **fields: Any) -> None:
        self.notifier.publish(self.source.add(name, **{"project": "web", "state": State.WORKING, **fields}))

    def waits(self, name: str = "one", reason: str = "permission:Bash") -> None:
        moved = self.source.state(State.WAITING, name, reason=reason)
        self.notifier.publish([*moved, *self.source.attention(reason, name)])

    def goes_on(self, name: str = "one") -> None:
        self.notifier.publish(self.source.state(State.WORKING, name, reason=""))

    def completes(self, name: str = "one", duration: int = LONG) -> None:
        moved = self.source.state(State.COMPLETED, name, reason="")
        unknown = {"input_tokens": None, "output_tokens": None, "cost": None}
        self.notifier.publish([*moved, *self.source.completed(name, duration=duration, **unknown)])

    def is_seen(self, name: str = "one") -> None:
        self.notifier.publish(self.source.state(State.IDLE, name))


def _has_terminal(session: SessionSnapshot) -> bool:
    return bool(session.terminal)


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with PrivateBus() as private:
        yield private


@pytest.fixture
def user() -> User:
    return User()


@pytest.fixture
def source() -> Standin:
    return Standin()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Of the policy; tests parametrize it."""
    return {}


@pytest.fixture
async def notifier(bus: PrivateBus, user: User, settings: dict[str, Any]) -> AsyncIterator[Notifier]:
    serving = Notifier(lambda: bus.address, Policy(**settings), user.desk(), user.now)
    running = asyncio.ensure_future(serving.run())
    yield serving
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def told(notifier: Notifier, source: Standin) -> Story:
    return Story(notifier, source)


@pytest.fixture
async def shown(bus: PrivateBus) -> AsyncIterator[Screen]:
    """A daemon that is there from the beginning."""
    async with screen(bus.address) as daemon:
        yield daemon
