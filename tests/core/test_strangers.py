"""What strangers can invent has an end: sessions, parents, numbers that no call has."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aimond.core import event as ev
from aimond.core.sessions import GONE_KEPT, KEPT
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
    """The newest are shown, whoever was silent for longest goes, one that works all the time stays, and the last cost
    no more than those before (0.3 ms each)."""
    tracker = Tracker({"codex": Patience()})
    took = []
    for first in range(0, MANY, AT_ONCE):
        began, now = time.thread_time(), NOON + first + AT_ONCE
        own = ev.PromptSubmitted(agent="codex", session="own", at=now + 1, source=ev.Source.LOG)
        tracker.apply(prompts(first, AT_ONCE), now)
        tracker.apply([own], now + 1)
        took.append(time.thread_time() - began)
        assert len(tracker.sessions) <= KEPT
    shown = {session.id for session in tracker.shown()}
    assert len(shown) == 256
    assert {"own", f"s{MANY - 1}"} <= shown
    remembered = sum(("codex", f"s{each}") in tracker.sessions for each in range(MANY))
    assert remembered == MANY - tracker.sessions.dropped <= 256 + GONE_KEPT
    half, full = len(took) // 2, 10  # when all that is bounded is full; what else the machine does only adds
    assert min(took[half:]) < 2 * min(took[full:half])


def test_of_the_gone_those_heard_of_last_are_remembered_whenever_they_say_they_ended() -> None:
    """What is sent again of one that is forgotten would be counted again."""
    tracker = Tracker({"codex": Patience()})
    for first in range(0, 2 * KEPT, AT_ONCE):
        tracker.apply(prompts(first, AT_ONCE), NOON + first)
    now = NOON + 2 * KEPT
    common: dict[str, Any] = {"agent": "codex", "source": ev.Source.LOG}
    long_ago, key = NOON - 3600 * 10**6, ("codex", "late")
    tracker.apply([ev.PromptSubmitted(session="late", at=long_ago, **common)], now)
    tracker.apply([ev.SessionEnded(session="late", at=long_ago + 1, **common)], now)
    tracker.tick(now + 10 * 10**6)
    assert "late" not in {session.id for session in tracker.shown()}
    for each in range(GONE_KEPT - 10):  # as many others have to go
        tracker.apply(prompts(3 * KEPT + each, 1), now + 11 * 10**6 + each)
    assert key in tracker.sessions and tracker.sessions[key].ended_at < NOON


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
