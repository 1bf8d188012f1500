"""Sessions that belong together: sub-agents, hidden threads, terminals of a shared daemon."""

from __future__ import annotations

from itertools import permutations

from tests.core.story import (
    Story,
    answer,
    detail,
    ends,
    exits,
    prompt,
    starts,
    stop,
    tool,
    typed,
    us,
)


def family(*, asks: bool = False) -> Story:
    """A parent whose turn has its answer, and the sub-agent that works for it."""
    story = Story()
    told = [detail(asks=asks, session=who) for who in ("parent", "child")]
    story.hear(3, *told, prompt(0, session="parent"), answer(2, session="parent"))
    story.hear(4, prompt(1, session="child"), detail(1, session="child", parent="parent"))
    return story


def test_a_sub_agent_knows_its_parent() -> None:
    story = family()
    assert (story.now("child").parent, story.now("parent").parent) == ("parent", "")


def test_the_parent_waits_for_its_sub_agent_session() -> None:
    story = family()
    assert story.wait(500) == []
    assert story.state("parent") == "working"
    story.hear(501, answer(500.5, session="child"))
    story.wait(600)
    assert (story.state("child"), story.state("parent")) == ("completed", "completed")


def test_sub_agents_of_sub_agents_are_waited_for_too() -> None:
    story = family()
    story.hear(5, prompt(2, session="grandchild"), detail(2, session="grandchild", parent="child", asks=False))
    story.hear(6, answer(5.5, session="child"))
    assert story.wait(500) == []
    story.hear(501, answer(500.5, session="grandchild"))
    story.wait(600)
    assert {story.state(who) for who in ("parent", "child", "grandchild")} == {"completed"}


def test_a_parent_that_goes_takes_its_sub_agents_along() -> None:
    story = family()
    story.hear(5, prompt(2, session="grandchild"), detail(2, session="grandchild", parent="child"))
    story.hear(9, ends(8, session="parent"))
    assert story.shown == []


def test_a_long_line_of_sub_agents_goes_with_the_first() -> None:
    story = Story(visible=1024)
    line = [detail(1, session=f"s{number}", parent=f"s{number - 1}", shows=True) for number in range(1000)]
    story.hear(2, *line)
    story.hear(3, ends(3, session="s0"))
    assert story.shown == []


def test_a_session_that_is_called_its_own_parent_does_not_wait_for_itself() -> None:
    story = Story()
    story.hear(3, detail(asks=False, parent="s"), prompt(0), answer(2))
    story.wait(500)
    assert story.state() == "completed"


def test_prompts_of_one_trace_are_a_family_in_whatever_order_they_come() -> None:
    prompts = [prompt(at, session=who, trace="t") for at, who in enumerate(["parent", "one", "two"])]
    for order in permutations(prompts):
        story = Story(rules={"sub_agents_share_trace": True})
        for seen, event in enumerate(order, start=5):
            story.hear(seen, event)
        parents = {who: story.now(who).parent for who in story.shown}
        assert parents == {"parent": "", "one": "parent", "two": "parent"}, [event.session for event in order]


def test_a_trace_outlives_its_owner() -> None:
    """What is remembered of traces may point to a session that has been forgotten."""
    story = Story(rules={"sub_agents_share_trace": True})
    story.hear(0, prompt(0, session="first", trace="t"))
    for at in range(1, 1100):
        story.hear(at, prompt(at, session=f"s{at}"))
    assert "late added" in story.hear(1200, prompt(1200, session="late", trace="t"))


# -- hidden threads ---------------------------------------------------------------------------------

HIDDEN = [
    detail(1, session="hidden", hidden=True),
    prompt(1, session="hidden"),
    answer(1.5, session="hidden", model="small", tokens=7),
]


def test_hidden_threads_are_never_shown_but_count() -> None:
    story = Story()
    story.hear(2, detail(shows=True), prompt(1), answer(1.9, model="big", tokens=100))
    assert story.hear(3, *HIDDEN) == []
    assert story.shown == ["s"]
    assert (story.now().input_tokens, story.now().model_calls) == (107, 2)
    found = story.tracker.find("s")
    assert found is not None
    assert {model: spent.usage.input for model, spent in story.tracker.usage(found).items()} == {"big": 100, "small": 7}
    assert story.tracker.ledger.totals(us(0), us(0)).tokens_today == 109


def test_hidden_threads_serve_the_session_whose_prompt_was_nearest() -> None:
    story = Story()
    story.hear(40, prompt(-30, session="early"), prompt(1.1, session="near"), prompt(31, session="late"))
    story.hear(41, *HIDDEN)
    assert [story.now(who).model_calls for who in ("early", "near", "late")] == [0, 1, 0]


def test_a_hidden_thread_serves_no_session_that_another_process_tells_of() -> None:
    """Two background processes of Codex, each with a home of its own, and prompts at nearly the same time."""
    story = Story()
    story.hear(2, prompt(0.5, session="mine", teller=7), prompt(1.1, session="other", teller=8))
    story.hear(3, HIDDEN[0], prompt(1, session="hidden", teller=7), HIDDEN[2])
    assert [story.now(who).model_calls for who in ("mine", "other")] == [1, 0]
    story.hear(4, prompt(1.01, session="another", teller=8))
    assert [story.now(who).model_calls for who in ("mine", "another")] == [1, 0]


def test_a_hidden_thread_serves_whoever_is_near_where_its_own_process_is_not_heard() -> None:
    story = Story()
    story.hear(2, prompt(1.1, session="told by hooks"), prompt(-30, session="early", teller=7))
    story.hear(3, HIDDEN[0], prompt(1, session="hidden", teller=8), HIDDEN[2])
    assert story.now("told by hooks").model_calls == 1


def test_a_hidden_thread_counts_under_one_session_only_when_a_nearer_prompt_comes_late() -> None:
    story = Story()
    story.hear(2, prompt(-30, session="early"))
    story.hear(3, *HIDDEN)
    assert story.now("early").input_tokens == 7
    story.hear(4, prompt(1.1, session="near"))
    assert [story.now(who).input_tokens for who in ("early", "near")] == [0, 7]
    rows = story.journal.take(story.tracker.serves).sessions
    assert {row.id: row.serves for row in rows}["hidden"] == "near"


def test_a_thread_found_to_be_hidden_is_taken_back() -> None:
    story = Story()
    assert story.hear(2, prompt(1, session="hidden"))[0] == "hidden added"
    assert story.hear(3, *HIDDEN)[-1].startswith("hidden removed")
    assert story.hear(4, stop(4, session="hidden")) == []
    assert story.shown == []


# -- a daemon that many terminals share --------------------------------------------------------------


def test_a_prompt_is_typed_in_the_terminal_whose_key_was_pressed() -> None:
    for press_first in (True, False):
        story = Story()
        story.hear(0, starts(0, pid=7, directory="/home/dev/a"), starts(0, pid=8))
        presses, prompts = [typed(5, pid=7), typed(6, pid=8)], [prompt(5.02)]
        story.hear(7, *(presses if press_first else prompts))
        story.hear(7, *(prompts if press_first else presses))
        assert (story.now().pid, story.now().directory) == (7, "/home/dev/a")


def test_a_key_pressed_long_before_is_of_another_prompt() -> None:
    story = Story()
    story.hear(7, typed(5, pid=7), prompt(6))
    assert story.now().pid == 0


def test_a_key_pressed_after_a_prompt_is_of_another_prompt() -> None:
    story = Story()
    story.hear(7, typed(5.05, pid=7), prompt(5))
    assert story.now().pid == 0


def test_of_prompts_typed_at_once_each_is_of_the_terminal_that_works_where_its_session_does() -> None:
    for first, second in ((7, 8), (8, 7)):  # key presses come in any order, after their prompts
        story = Story()
        story.hear(0, starts(0, pid=7, directory="/home/dev/a"), starts(0, pid=8, directory="/home/dev/b"))
        story.hear(5, detail(5, session="a", directory="/home/dev/a"), detail(5, session="b", directory="/home/dev/b"))
        story.hear(5, prompt(5.04, session="a"), prompt(5.05, session="b"))
        pressed = {7: typed(5, pid=7), 8: typed(5.01, pid=8)}
        story.hear(6, pressed[first])
        story.hear(6, pressed[second])
        assert (story.now("a").pid, story.now("b").pid) == (7, 8)


def test_the_last_terminal_takes_its_session_along() -> None:
    story = Story()
    story.hear(7, typed(5, pid=7), prompt(5.02), tool(6))
    assert story.hear(9, exits(9, pid=7))[-1] == "removed:exited"
