"""What strangers can invent has an end: sessions, parents, numbers that no call has."""

from __future__ import annotations

import time

import pytest

from aimond.core import event as ev
from aimond.core.sessions import KEPT
from aimond.core.state import Patience
from aimond.core.tracker import Tracker

NOON = 1_800_000_000_000_000
MANY = 100_000
AT_ONCE = 500


def prompts(first: int, number: int) -> list[ev.Event]:
    return [
        ev.PromptSubmitted(agent="codex", session=f"s{each}", at=NOON + each, source=ev.Source.LOG)
        for each in range(first, first + number)
    ]


def test_a_hundred_thousand_sessions_in_a_minute_are_bounded_and_counted() -> None:
    """The newest are shown, whoever was silent for longest goes, and one that works all the time stays."""
    tracker = Tracker({"codex": Patience()})
    began = time.monotonic()
    for first in range(0, MANY, AT_ONCE):
        now = NOON + first + AT_ONCE
        own = ev.PromptSubmitted(agent="codex", session="own", at=now, source=ev.Source.LOG)
        tracker.apply(prompts(first, AT_ONCE), now)
        tracker.apply([own], now + 1)
        assert len(tracker.sessions) <= KEPT
    shown = {session.id for session in tracker.shown()}
    assert len(shown) == 256
    assert {"own", f"s{MANY - 1}"} <= shown
    assert tracker.sessions.dropped >= MANY - 2 * KEPT
    assert time.monotonic() - began < 60


def test_parents_that_are_never_seen_are_forgotten_with_their_children() -> None:
    tracker = Tracker({"codex": Patience()})
    for each in range(3 * KEPT):
        parent = ev.SessionDetail(
            agent="codex", session=f"s{each}", at=NOON + each, parent=f"p{each}", source=ev.Source.LOG
        )
        tracker.apply([parent], NOON + each)
    assert len(tracker.sessions._children) <= KEPT


@pytest.mark.parametrize("at", [0, 2**63, (2**64 - 1) // 1000])
def test_any_time_leaves_the_neighbours_alone(at: int) -> None:
    tracker = Tracker({"codex": Patience()})
    odd = ev.PromptSubmitted(agent="codex", session="odd", at=at, source=ev.Source.LOG)
    tracker.apply([odd, *prompts(0, 1)], NOON)
    tracker.tick(NOON + 1)
    assert "s0" in {session.id for session in tracker.shown()}
