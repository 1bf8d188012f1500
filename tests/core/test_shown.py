"""What is told of all sessions together: kept up one by one, the same as if all were looked at."""

from __future__ import annotations

import random

from aimond.core.shown import Key, Shown
from aimond.core.snapshot import RANK, SessionSnapshot, State

NEEDS_USER = (State.WAITING, State.FAILED)


def looked_at(sessions: list[SessionSnapshot]) -> tuple[dict[State, int], State | None, SessionSnapshot | None]:
    """How many are in which state, the most urgent state, and who needs the user most."""
    counts = {state: sum(not each.parent and each.state is state for each in sessions) for state in State}
    own = [each for each in sessions if not each.parent or each.state in NEEDS_USER] or sessions
    state = min((each.state for each in own), key=lambda state: RANK[state], default=None)
    calm = RANK[State.WORKING]
    neediest = min(
        own,
        key=lambda each: (min(RANK[each.state], calm), -each.last_activity, RANK[each.state], each.id),
        default=None,
    )
    return counts, state, neediest


def test_whatever_happens_to_sessions_they_are_summed_up_as_if_all_were_looked_at() -> None:
    dice, shown = random.Random(3), Shown()
    for _ in range(3_000):
        key: Key = ("codex", f"s{dice.randrange(6)}")
        if dice.random() < 0.3:
            shown.hide(key)
        else:
            parent, activity = dice.choice(("", "", "s9")), dice.randrange(5)
            state = dice.choice(list(State))
            shown.show(
                key, SessionSnapshot(id=key[1], agent=key[0], state=state, parent=parent, last_activity=activity)
            )
        counts, state_of_all, neediest = looked_at(list(shown.values()))
        assert {state: shown.count(state) for state in State} == counts
        assert shown.state is state_of_all
        assert shown.neediest is neediest


def test_what_a_sub_agent_has_finished_is_told_of_where_nobody_else_is_there() -> None:
    shown = Shown()
    shown.show(("codex", "child"), SessionSnapshot(id="child", agent="codex", state=State.COMPLETED, parent="gone"))
    assert (shown.state, shown.count(State.COMPLETED)) == (State.COMPLETED, 0)
    shown.show(("codex", "own"), SessionSnapshot(id="own", agent="codex", state=State.WORKING))
    assert shown.state is State.WORKING
    assert shown.neediest == shown["codex", "own"]
