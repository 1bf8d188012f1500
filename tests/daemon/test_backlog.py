"""Requests are understood in their order, none is lost, and what comes in a flood is understood together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aimond.backlog import AT_ONCE, Backlog
from aimond.config import Config
from aimond.daemon import Daemon
from aimond.otlp.record import Batch, Peer


class Told:
    """Keeps what is to be understood together, each request as the number that was parsed."""

    def __init__(self) -> None:
        self.together: list[list[int]] = []
        self._news = asyncio.Event()
        self.backlog = Backlog(self._understand)

    def _understand(self, batches: list[Batch]) -> None:
        self.together.append([batch.parsed for batch in batches])
        self._news.set()

    def put(self, *parsed: int) -> None:
        for each in parsed:
            self.backlog.put(Batch("logs", "json", each, 0))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while sum(map(len, self.together)) < count:
                await self._news.wait()
                self._news.clear()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr("aimond.backlog.FLOOD", 5.0)  # however slow this machine is
    return Told()


async def test_the_first_request_is_understood_in_the_next_turn_of_the_loop(told: Told) -> None:
    told.put(1)
    await asyncio.sleep(0)
    assert told.together == [[1]]
    assert len(told.backlog) == 0


async def test_what_follows_at_once_is_understood_together(told: Told) -> None:
    told.put(1)
    await told.until(1)
    told.put(2, 3, 4)
    await asyncio.sleep(0)
    assert told.together == [[1]]
    await told.until(4)
    assert told.together == [[1], [2, 3, 4]]


async def test_a_request_after_a_pause_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimond.backlog.FLOOD", 0.0)
    told = Told()
    for number in range(5):
        told.put(number)
        await asyncio.sleep(0)
        assert told.together[-1] == [number]


async def test_a_long_backlog_lets_others_in_between_and_keeps_its_order(told: Told) -> None:
    many = 3 * AT_ONCE + 1
    told.put(*range(many))
    await told.until(many)
    assert [len(each) for each in told.together] == [AT_ONCE] * 3 + [1]
    assert [number for each in told.together for number in each] == list(range(many))


async def test_who_asks_finds_what_was_accepted(told: Told) -> None:
    told.put(1)
    await told.until(1)
    told.put(2, 3)
    told.backlog.empty()
    assert told.together == [[1], [2, 3]]
    told.backlog.empty()
    await asyncio.sleep(0.01)  # the timer that was set for them finds nothing
    assert told.together == [[1], [2, 3]]


async def test_of_metrics_that_nobody_reads_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("aimond.upkeep.publish", lambda outputs, changes: told.append(changes))
    daemon = Daemon(Config())
    for signal, expected in (("metrics", []), ("traces", [[]])):
        daemon._consume(Batch(signal, "json", {}, 0))
        await daemon.stop()
        assert told == expected


async def test_a_sender_that_may_be_gone_is_not_looked_for_among_all_processes() -> None:
    """Where its connection is closed by now, the kernel tells so; nobody would have the socket that was known once."""
    daemon, peer = Daemon(Config()), Peer(inode=7)
    daemon._consume(Batch("metrics", "json", {}, 0, peer))
    assert peer.inode == 0
