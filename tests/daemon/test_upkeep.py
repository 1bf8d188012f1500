"""Outputs break alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from aimond import upkeep
from aimond.core.change import Change


class Output:
    """Breaks as often as it is told to, then lasts."""

    def __init__(self, breaks: int = 0) -> None:
        self.breaks, self.runs, self.told = breaks, 0, 0
        self.lasts = asyncio.Event()

    def publish(self, changes: Sequence[Change]) -> None:
        self.told += 1
        if self.breaks:
            raise RuntimeError("broken")

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.breaks:
            raise RuntimeError("broken")
        self.lasts.set()
        await asyncio.Event().wait()


async def test_a_broken_output_is_started_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "FIRST_PAUSE", 0.001)
    sound, broken = Output(), Output(breaks=3)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        kept = [tasks.create_task(upkeep.keep(output)) for output in (sound, broken)]
        await broken.lasts.wait()
        for task in kept:
            task.cancel()
    assert (sound.runs, broken.runs) == (1, 4)


async def test_an_output_that_takes_no_change_keeps_it_from_nobody() -> None:
    sound, broken = Output(), Output(breaks=1)
    upkeep.publish([broken, sound], [])
    assert (broken.told, sound.told) == (1, 1)


async def test_an_output_that_breaks_when_it_is_to_end_holds_up_no_end(caplog: pytest.LogCaptureFixture) -> None:
    class Clumsy(Output):
        async def run(self) -> None:
            try:
                await super().run()
            finally:
                if self.runs == 1:
                    raise RuntimeError("broken")

    clumsy = Clumsy()
    kept = asyncio.create_task(upkeep.keep(clumsy))
    await clumsy.lasts.wait()
    kept.cancel()
    await asyncio.wait_for(kept, 10)
    assert clumsy.runs == 1 and "when it was to end" in caplog.text
