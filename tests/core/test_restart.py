"""The monitor is killed and started again, at any moment: what CLIs send again is counted once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from aimond.commands.replay import _take as take
from aimond.core.journal import Journal
from aimond.spine import Spine
from aimond.tape import Line, Tape, read
from tests.core.memory import Memory

TAPES = sorted((Path(__file__).parents[1] / "tapes").rglob("*.tape.jsonl.gz"))
HOUR = 3_600_000_000


def monitor(memory: Memory, now: int) -> Spine:
    """A monitor that remembers."""
    spine = Spine(journal=Journal())
    spine.tracker.ledger.restore(memory.buckets())
    spine.tracker.resume(memory.past(), now)
    return spine


def play(spine: Spine, tape: Tape, lines: list[Line]) -> None:
    for line in lines:
        pass_time(spine, tape.at(line.t))
        take(spine, tape, line, False)


def pass_time(spine: Spine, until: int) -> None:
    while (deadline := spine.tracker.deadline()) is not None and deadline <= until:
        spine.tracker.tick(deadline)


def save(spine: Spine, memory: Memory) -> None:
    journal = spine.tracker.journal
    assert journal is not None
    memory.put(journal.take(spine.tracker.serves))


def told(spine: Spine) -> dict[str, Any]:
    """What has to be the same, however often the monitor was killed."""
    counts = ("model_calls", "input_tokens", "cache_read_tokens", "output_tokens", "cost", "cost_basis")
    counts += (
        "turns",
        "tool_calls",
        "errors",
        "last_error",
        "model",
        "project",
        "parent",
        "started_at",
        "last_activity",
    )
    return {
        f"{session.agent} {session.id}": {name: getattr(session.seen, name) for name in counts}
        | {"models": dict(spine.tracker.usage(session))}
        for session in spine.tracker.sessions.values()
        if session.seen and not session.hidden
    } | {"all": spine.tracker.ledger.since(0)}


@pytest.mark.parametrize("path", TAPES, ids=lambda path: "-".join(path.parts[-3:]).partition(".tape")[0])
def test_what_is_sent_again_after_a_crash_is_counted_once(path: Path) -> None:
    tape = read(path)
    unbroken = Spine()
    play(unbroken, tape, tape.lines)
    expected = told(unbroken)
    for seed in range(3):
        chance = random.Random(seed)
        memory = Memory()
        for _ in range(chance.randint(1, 3)):  # killed that often, and each time all is sent again
            cut, lost = chance.randint(0, len(tape.lines)), chance.randint(0, 3)
            spine = monitor(memory, tape.at(tape.lines[cut - 1].t if cut else 0))
            play(spine, tape, tape.lines[: max(0, cut - lost)])
            save(spine, memory)
            play(spine, tape, tape.lines[max(0, cut - lost) : cut])
        spine = monitor(memory, tape.epoch)
        play(spine, tape, tape.lines)
        assert told(spine) == expected, (seed, cut, lost)
        save(spine, memory)
        assert told(monitor(memory, tape.at(tape.lines[-1].t)))["all"] == expected["all"]


@pytest.mark.parametrize("path", TAPES, ids=lambda path: "-".join(path.parts[-3:]).partition(".tape")[0])
def test_an_orderly_restart_shows_what_was_shown(path: Path) -> None:
    tape = read(path)
    cut = len(tape.lines) * 2 // 3
    spine = Spine(journal=Journal())
    play(spine, tape, tape.lines[:cut])
    memory = Memory()
    save(spine, memory)
    again = monitor(memory, tape.at(tape.lines[cut - 1].t))
    before = {shown.id: shown for shown in spine.tracker.shown()}
    after = {shown.id: shown for shown in again.tracker.shown()}
    assert before.keys() == after.keys()
    for name, shown in after.items():
        was = before[name]
        if was.state in ("working", "waiting"):
            assert (shown.state, shown.confidence) == ("working", "inferred")
        else:
            assert (shown.state, shown.state_since, shown.reason) == (was.state, was.state_since, was.reason)
        assert (shown.cost, shown.turns, shown.project) == (was.cost, was.turns, was.project)
