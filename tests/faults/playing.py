"""Tapes that are played while something dies, and what has to be right afterwards: sessions, totals, the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aimond.bus.client import Monitor, NotRunning
from aimond.core.usage import NOTHING, Spent, total
from aimond.tape import Tape, read
from tests.busdaemon import PrivateBus
from tests.daemon.live import Live
from tests.daemon.test_history import EVER, assert_true, spent_by

TAPES = sorted((Path(__file__).parents[1] / "tapes").rglob("*.tape.jsonl.gz"))
KEPT = {"history": {"enabled": True}}
FEW: list[Tape] = [read(path) for path in TAPES[::11]]
GENEROUS = 30.0  # seconds


def expected(tapes: Sequence[Tape]) -> Spent:
    """What they used."""
    return total(map(spent_by, tapes)) or NOTHING


async def reconnected(bus: PrivateBus) -> Monitor:
    """A reader of the bus, as soon as the monitor is on it."""
    async with asyncio.timeout(GENEROUS):
        while True:
            with suppress(NotRunning):
                reader = await Monitor.connect(bus.address)
                try:
                    await reader.sessions()
                except NotRunning:
                    async with reader:
                        pass
                else:
                    return reader
            await asyncio.sleep(0.05)


async def understood(running: Live, requests: int) -> None:
    """All requests, and no metrics that still wait for logs."""
    await running.until_understood(requests)
    running.daemon._spine.tracker.accounts.settle(2**62)
    running.daemon._publish([])


async def assert_all_right(running: Live, reader: Monitor, tapes: Sequence[Tape]) -> None:
    """What a reader sees is what the monitor knows, and what was sent; each session once, each total exact."""
    told = await reader.sessions()
    shown = {session.id: session for session in running.daemon._spine.tracker.shown()}
    assert {session["Id"] for session in told} == shown.keys()
    assert len(told) == len(shown) > 0
    assert {session["Id"]: session["State"] for session in told} == {id_: str(one.state) for id_, one in shown.items()}
    rows: list[dict[str, Any]] = list(await reader.call("Usage", EVER, "agent"))
    assert_true(rows, expected(tapes))
