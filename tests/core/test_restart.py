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
from tests.core.story import Story, answer, asks, calls, detail, failure, prompt, ran, stop, us

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


def save(spine: Spine, memory: Memory, *, intact: bool = False) -> None:
    journal = spine.tracker.journal
    assert journal is not None
    memory.put(journal.take(spine.tracker.serves, intact=intact))


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
        for session in spine.tracker.sessions.remembered
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


@pytest.mark.parametrize("intact", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("path", TAPES, ids=lambda path: "-".join(path.parts[-3:]).partition(".tape")[0])
def test_a_restart_shows_what_was_shown(path: Path, intact: bool) -> None:
    tape = read(path)
    for part in (1, 2, 3, 4):
        cut = len(tape.lines) * part // 5
        spine = Spine(journal=Journal())
        play(spine, tape, tape.lines[:cut])
        memory = Memory()
        save(spine, memory, intact=intact)
        again = monitor(memory, tape.at(tape.lines[cut - 1].t))
        before = {shown.id: shown for shown in spine.tracker.shown()}
        after = {shown.id: shown for shown in again.tracker.shown()}
        assert before.keys() == after.keys()
        for name, shown in after.items():
            was = before[name]
            if was.state in ("working", "waiting") and not intact:
                assert (shown.state, shown.confidence, shown.evidence) == ("working", "inferred", "timer")
            else:
                assert (shown.state, shown.reason, shown.evidence) == (was.state, was.reason, was.evidence)
            assert (shown.cost, shown.turns, shown.project) == (was.cost, was.turns, was.project)


def restarted(story: Story, at: float, *, intact: bool) -> Story:
    memory = Memory()
    memory.put(story.journal.take(story.tracker.serves, intact=intact))
    again = Story()
    again.tracker.resume(memory.past(), us(at))
    return again


def test_whom_a_hidden_thread_serves_may_turn_out_after_a_restart() -> None:
    """Its title was asked for, and the monitor killed, before the record of the prompt came."""
    story = Story()
    story.hear(0, detail(session="other", shows=True), prompt(0, session="other"))
    hidden = {"session": "hidden"}
    story.hear(60, detail(60, hidden=True, **hidden), prompt(60, **hidden), answer(61, tokens=7, **hidden))
    again = restarted(story, 62, intact=False)
    again.hear(63, detail(59.9, shows=True), prompt(59.9))
    assert (again.now().input_tokens, again.now("other").input_tokens) == (7, 0)


def test_a_hidden_thread_that_served_nobody_yet_finds_its_session_after_a_restart() -> None:
    story, hidden = Story(), {"session": "hidden"}
    story.hear(60, detail(60, hidden=True, **hidden), prompt(60, **hidden), answer(61, tokens=7, **hidden))
    again = restarted(story, 62, intact=False)
    again.hear(63, detail(59.9, shows=True), prompt(59.9))
    assert again.now().input_tokens == 7


def test_who_waits_for_its_user_does_so_after_an_orderly_restart() -> None:
    story = Story()
    story.hear(0, detail(shows=True, asks=True), prompt(0), calls(0.1), answer(1), asks(1.5))
    again = restarted(story, 5, intact=True)
    assert again.state() == "waiting permission:Bash"
    assert again.hear(9, ran(9)) == ["working"]
    assert again.hear(11, stop(11)) == ["completed", "done"]


def test_after_a_crash_a_question_is_forgotten_and_its_session_thought_to_work() -> None:
    story = Story()
    story.hear(0, detail(shows=True, asks=True), prompt(0), asks(1.5))
    again = restarted(story, 5, intact=False)
    assert again.state() == "working"
    assert again.now().confidence == "inferred"
    assert again.wait(500) == []
    assert again.wait(1000) == ["quiet", "needs:"]


def test_what_was_done_and_seen_is_no_news_after_a_restart() -> None:
    story = Story()
    story.hear(0, detail(shows=True), prompt(0), answer(1), stop(2))
    story.acknowledge(3)
    again = restarted(story, 5, intact=False)
    assert again.state() == "idle"
    assert again.hear(6, prompt(0), stop(2)) == []
    assert again.hear(9, prompt(7), answer(8), stop(9)) == ["completed", "done"]


def test_a_failure_is_not_called_for_twice() -> None:
    story = Story()
    assert "needs:auth" in story.hear(0, detail(shows=True), prompt(0), failure(1, "auth", final=True))
    again = restarted(story, 5, intact=False)
    assert again.state() == "failed auth"
    assert again.hear(6, prompt(0), failure(1, "auth", final=True)) == []
    assert again.now().errors == 1
