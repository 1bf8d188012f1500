"""Which entries are on the board: one for each session, as long as its reason is there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimond.core.board import BURST, MOST, Board
from aimond.core.change import BudgetCrossed, Change
from aimond.core.notice import Kind
from aimond.core.policy import Policy
from aimond.core.snapshot import State
from tests.bus.standin import Standin

UNKNOWN = {"input_tokens": None, "output_tokens": None, "cost": None, "duration": 60_000_000}


class Wall:
    """A board, the sessions it is told of, and a clock in seconds."""

    def __init__(self, **policy: Any) -> None:
        self.board = Board(Policy(**policy), lambda session: False)
        self.sessions = Standin()
        self.now = 0.0
        self.silent = False

    def tell(self, *changes: Change) -> int:
        """How many entries are different."""
        return len(self.board.take(changes, round(self.now * 1_000_000), lambda kind: self.silent))

    def begins(self, *names: str) -> None:
        for name in names:
            self.tell(*self.sessions.add(name, project=name, state=State.WORKING))

    def waits(self, name: str, reason: str = "permission:Bash") -> int:
        moved = self.sessions.state(State.WAITING, name, reason=reason)
        return self.tell(*moved, *self.sessions.attention(reason, name))

    def done(self, name: str) -> int:
        return self.tell(*self.sessions.state(State.COMPLETED, name), *self.sessions.completed(name, **UNKNOWN))

    def goes_on(self, name: str) -> int:
        return self.tell(*self.sessions.state(State.WORKING, name))

    def leaves(self, name: str, reason: str = "exited") -> int:
        return self.tell(*self.sessions.remove(reason, name))

    @property
    def reads(self) -> list[str]:
        return [entry.notice.summary.removeprefix("Claude Code in ") for entry in self.board.entries() if entry.notice]


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_the_end_of_the_process_takes_the_question_and_leaves_the_completion(wall: Wall) -> None:
    wall.begins("asks", "done")
    wall.waits("asks")
    wall.done("done")
    assert wall.reads == ["asks is waiting for you", "done is done"]
    wall.leaves("asks")
    wall.leaves("done")
    assert wall.reads == ["done is done"]


def test_who_typed_clear_has_seen_it(wall: Wall) -> None:
    wall.begins("done")
    wall.done("done")
    wall.leaves("done", "replaced")
    assert wall.reads == []


def test_a_one_shot_is_told_although_all_of_it_comes_at_once(wall: Wall) -> None:
    wall.begins("job")
    moved = wall.sessions.state(State.COMPLETED, "job")
    wall.tell(*moved, *wall.sessions.completed("job", **UNKNOWN), *wall.sessions.remove("exited", "job"))
    assert wall.reads == ["job is done"]
    wall.begins("job")
    assert wall.reads == [], "it was resumed"


def test_a_question_that_ends_with_its_session_is_not_told(wall: Wall) -> None:
    wall.begins("job")
    moved = wall.sessions.state(State.WAITING, "job", reason="question")
    wall.tell(*moved, *wall.sessions.attention("question", "job"), *wall.sessions.remove("exited", "job"))
    assert wall.reads == []


def test_another_question_behind_the_answered_one_is_said_in_its_place(wall: Wall) -> None:
    wall.begins("asks")
    wall.waits("asks", "permission:Bash")
    assert wall.tell(*wall.sessions.details("asks", reason="permission:Write")) == 1
    (entry,) = wall.board.entries()
    assert entry.notice
    assert entry.notice.body == "It asks for permission to use Write"
    assert wall.tell(*wall.sessions.details("asks", tool_calls=3)) == 0, "nothing that is shown is different"


def test_a_question_whose_window_has_become_known_is_told_anew(wall: Wall) -> None:
    """There is a button then, that leads to it."""
    wall.begins("asks")
    assert wall.waits("asks") == 1
    assert wall.tell(*wall.sessions.details("asks", can_focus=True)) == 1
    assert wall.tell(*wall.sessions.details("asks", can_focus=True)) == 0


@pytest.mark.parametrize(
    ("apart", "reads"), [(BURST / 1e6, ["2 agents finished"]), (BURST / 1e6 + 1, ["a is done", "b is done"])]
)
def test_completions_that_follow_each_other_are_one(wall: Wall, apart: float, reads: list[str]) -> None:
    wall.begins("a", "b")
    wall.done("a")
    wall.now = apart
    wall.done("b")
    assert wall.reads == reads


def test_questions_are_never_put_together(wall: Wall) -> None:
    wall.begins("a", "b")
    wall.waits("a")
    wall.waits("b")
    assert len(wall.reads) == 2


def test_who_leaves_a_burst_leaves_the_others_in_it(wall: Wall) -> None:
    wall.begins("a", "b", "c")
    for name in ("a", "b", "c"):
        wall.done(name)
    assert wall.waits("b") == 2
    assert wall.reads == ["2 agents finished", "b is waiting for you"]
    assert wall.goes_on("b") == 1
    wall.goes_on("a")
    assert wall.reads == ["c is done"]


def test_a_burst_that_the_user_closed_is_not_opened_again(wall: Wall) -> None:
    wall.begins("a", "b")
    wall.done("a")
    wall.board.drop(wall.board.entries()[0])
    wall.done("b")
    assert wall.reads == ["b is done"]


def test_questions_are_held_back_and_what_is_over_is_forgotten(wall: Wall) -> None:
    wall.begins("a", "b", "c")
    wall.silent = True
    wall.waits("a")
    wall.waits("b")
    wall.done("c")
    wall.goes_on("b")
    assert (wall.reads, wall.board.holds) == ([], True)
    wall.silent = False
    assert len(wall.board.release(0, lambda kind: False)) == 1
    assert (wall.reads, wall.board.holds) == (["a is waiting for you"], False)


def test_what_is_true_no_longer_goes_even_when_its_successor_is_not_wanted() -> None:
    wall = Wall(kinds=("waiting",))
    wall.begins("a")
    wall.waits("a")
    wall.done("a")
    assert wall.reads == []


def test_a_threshold_of_a_session_joins_what_is_said_of_it(wall: Wall) -> None:
    wall.begins("a")
    wall.waits("a")
    session = wall.sessions.sessions()[0]
    crossed = BudgetCrossed(session, "per session", Decimal(5), Decimal(5), 1.0, "USD")
    assert wall.tell(crossed) == 1
    (entry,) = wall.board.entries()
    assert entry.notice
    assert (entry.kind, entry.notice.body.count("\n")) == (Kind.WAITING, 1)
    wall.tell(BudgetCrossed(None, "daily", Decimal(5), Decimal(10), 0.5, "USD"))
    assert len(wall.reads) == 2


def test_the_next_threshold_takes_the_place_of_the_one_before(wall: Wall) -> None:
    wall.begins("a")
    session = wall.sessions.sessions()[0]
    for spender in (None, session):
        for fraction in (0.5, 0.8, 1.0):
            wall.tell(BudgetCrossed(spender, "daily", Decimal(10 * fraction), Decimal(10), fraction, "USD"))
    texts = [entry.notice.body for entry in wall.board.entries() if entry.notice]
    assert texts == ["$10.00 of $10.00"] * 2
    assert wall.done("a") == 1
    assert wall.reads == ["The budget “daily” is used up", "a is done"]


def test_the_board_is_never_full(wall: Wall) -> None:
    for number in range(2 * MOST):
        wall.now += 10
        wall.begins(str(number))
        wall.done(str(number))
    assert wall.reads == [f"{number} is done" for number in range(MOST, 2 * MOST)]


STEPS = st.tuples(st.sampled_from("abcd"), st.sampled_from(["waits", "done", "goes_on", "leaves"]), st.integers(0, 5))


@given(st.lists(STEPS, max_size=40))
def test_no_session_is_on_the_board_twice_and_none_without_reason(steps: list[tuple[str, str, int]]) -> None:
    wall = Wall()
    for name, step, pause in steps:
        wall.now += pause
        if name not in {session.id for session in wall.sessions.sessions()}:
            wall.begins(name)
        getattr(wall, step)(name)
        told = [key for entry in wall.board.entries() for key in entry.notices]
        assert len(told) == len(set(told))
        states = {session.id: session.state for session in wall.sessions.sessions()}
        for entry in wall.board.entries():
            assert all(states.get(key[1], entry.kind) == entry.kind for key in entry.notices)
            assert entry.notice is not None
