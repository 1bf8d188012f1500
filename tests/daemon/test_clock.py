"""Jumps of time are noticed, each once, and small ones are not lost."""

from __future__ import annotations

import asyncio

import pytest

from aimond import clock
from aimond.clock import Clock

SECOND = 10**9


class Hands:
    """A clock to be set: on the wall, since boot, awake since boot."""

    def __init__(self) -> None:
        self.wall, self.boot, self.awake = 1_790_000_000 * SECOND, 100 * SECOND, 90 * SECOND
        self.told: list[tuple[float, float]] = []
        self.clock = Clock(lambda slept, set_: self.told.append((slept / 1e6, set_ / 1e6)), self.read)

    def read(self) -> clock.Reading:
        return self.wall, self.boot, self.awake

    def go(self, wall: float, boot: float, awake: float) -> None:
        self.wall += round(wall * SECOND)
        self.boot += round(boot * SECOND)
        self.awake += round(awake * SECOND)
        self.clock.check()


@pytest.mark.parametrize(
    ("passes", "told"),
    [
        ((10, 10, 10), []),
        ((28_810, 28_810, 10), [(28_800, 0)]),  # slept for eight hours
        ((86_410, 10, 10), [(0, 86_400)]),  # set forward by a day
        ((-86_390, 10, 10), [(0, -86_400)]),
        ((-57_590, 28_810, 10), [(28_800, -86_400)]),  # both
        ((10.4, 10, 10), []),  # kept right by NTP
    ],
)
def test_a_jump_is_told_once(passes: tuple[float, float, float], told: list[tuple[float, float]]) -> None:
    hands = Hands()
    hands.go(*passes)
    hands.go(5, 5, 5)
    assert hands.told == told


def test_small_corrections_add_up() -> None:
    hands = Hands()
    for _ in range(4):
        hands.go(10.2, 10, 10)
    assert [round(set_, 1) for _, set_ in hands.told] == [0.6]


async def test_the_kernel_is_asked_to_tell_and_nothing_runs_meanwhile() -> None:
    hands, loop = Hands(), asyncio.get_running_loop()
    with hands.clock.watched():
        assert clock._alarm() >= 0
        await asyncio.sleep(0.05)
        assert loop._selector.get_map() is not None  # type: ignore[attr-defined]
    assert hands.told == []
