"""Which window a process is shown in: trails and windows, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aimond.core.trail import Child, Step, Trail
from aimond.desktop.match import FRESH, Certainty, Match, bonds, match
from aimond.desktop.windows import Window

# A CLI (30) in a shell (20) in a terminal (10), which some session began (1).
TRAIL = Trail(
    steps=(Step(pid=30, tty="/dev/pts/5"), Step(pid=20, tty="/dev/pts/5"), Step(pid=10, tty=""), Step(pid=1, tty=""))
)


def windows(*known: Window) -> dict[int, Window]:
    return {window.id: window for window in known}


def running(**by_terminal: list[int]) -> Callable[[int], list[Child]]:
    """The children of terminals: ``_10=[20]``."""
    return lambda pid: [Child(pid=child, age=100.0) for child in by_terminal.get(f"_{pid}", [])]


def found(
    trail: Trail, *known: Window, bound: dict[int, int] | None = None, word: str = "", **kids: list[int]
) -> Match | None:
    return match(trail, windows(*known), running(**kids), bound or {}, (word,))


def test_a_terminals_only_window_is_the_one() -> None:
    match = found(TRAIL, Window(id=7, pid=10), Window(id=8, pid=11), _10=[20])
    assert match == Match(window=7, certainty=Certainty.SURE, child=20, tty="/dev/pts/5", alone=True)


def test_no_ancestor_has_a_window() -> None:
    assert found(TRAIL, Window(id=8, pid=11)) is None
    assert found(Trail(), Window(id=8, pid=11)) is None
    assert found(TRAIL) is None


def test_the_nearest_ancestor_with_a_window_is_the_terminal() -> None:
    """Though a window of the launcher that began it is there, too."""
    match = found(TRAIL, Window(id=3, pid=1), Window(id=7, pid=10), _10=[20])
    assert match is not None
    assert match.window == 7


def test_a_program_with_a_window_of_its_own_is_in_that() -> None:
    match = found(Trail(steps=(Step(pid=30, tty=""),)), Window(id=7, pid=30))
    assert match == Match(window=7, certainty=Certainty.SURE, child=30)


def test_tabs_may_hide_it() -> None:
    """The window is known, but not whether it shows the session."""
    match = found(TRAIL, Window(id=7, pid=10), _10=[19, 20])
    assert match is not None
    assert (match.window, match.certainty, match.alone) == (7, Certainty.SURE, False)


def test_in_an_editor_it_is_one_thing_of_many() -> None:
    """The terminal of an editor is not its child but some grandchild."""
    match = found(TRAIL, Window(id=7, pid=1))
    assert match is not None
    assert (match.certainty, match.alone) == (Certainty.SURE, False)


SERVER = (Window(id=7, pid=10, title="zsh ~"), Window(id=8, pid=10, title="vim ~/work/aimond"))


@pytest.mark.parametrize(
    ("why", "how", "window", "certainty"),
    [
        ("it was learnt", {"bound": {20: 7}, "_10": [20, 21]}, 7, Certainty.SURE),
        ("it was learnt, and the title is wrong", {"bound": {20: 7}, "word": "aimond"}, 7, Certainty.SURE),
        ("the other one is learnt", {"bound": {21: 7}, "_10": [20, 21]}, 8, Certainty.SURE),
        ("shells and windows came in this order", {"_10": [20, 21]}, 7, Certainty.LIKELY),
        ("and in this", {"_10": [19, 20]}, 8, Certainty.LIKELY),
        ("there are tabs, and one title has the project", {"_10": [19, 20, 21], "word": "Aimond"}, 8, Certainty.LIKELY),
        ("no title has it", {"_10": [19, 20, 21], "word": "other"}, 8, Certainty.GUESS),
        ("the name is in every second title", {"_10": [19, 20, 21], "word": "h"}, 8, Certainty.GUESS),
        ("nothing is known", {}, 8, Certainty.GUESS),
    ],
)
def test_of_several_windows(why: str, how: dict[str, object], window: int, certainty: Certainty) -> None:
    match = found(TRAIL, *SERVER, **how)  # type: ignore[arg-type]
    assert match is not None
    assert (match.window, match.certainty) == (window, certainty), why


def test_of_several_windows_the_terminal_may_have_named_one() -> None:
    named = Trail(steps=TRAIL.steps, window=0x800)
    match = found(named, Window(id=7, pid=10, x11=0x700), Window(id=8, pid=10, x11=0x800), _10=[20, 21])
    assert match is not None
    assert (match.window, match.certainty) == (8, Certainty.SURE)


def test_where_no_process_is_told_the_terminal_names_its_window() -> None:
    i3 = Window(id=7, x11=0x700), Window(id=8, x11=0x800)
    match = found(Trail(steps=TRAIL.steps, window=0x800), *i3)
    assert match == Match(window=8, certainty=Certainty.SURE, tty="/dev/pts/5", alone=True)
    assert found(TRAIL, *i3) is None


def test_a_name_that_was_inherited_does_not_count_where_processes_are_known() -> None:
    """A terminal under Wayland, started from one under X11."""
    assert found(Trail(steps=TRAIL.steps, window=0x800), Window(id=8, pid=99, x11=0x800)) is None


# -- what is learnt ---------------------------------------------------------------------------------


def learn(bound: dict[int, int], new: list[int], *known: Window, kids: list[Child]) -> dict[int, int]:
    bonds(new, windows(*known), lambda _pid: kids, bound)
    return bound


OLD, NEW = 100.0, FRESH / 10


def test_windows_are_learnt_as_they_open() -> None:
    first, second = Child(pid=20, age=OLD), Child(pid=21, age=NEW)
    bound = learn({}, [7], SERVER[0], kids=[first])
    assert bound == {20: 7}
    assert learn(bound, [8], *SERVER, kids=[first, second]) == {20: 7, 21: 8}


def test_nothing_is_learnt_of_windows_that_were_there_before() -> None:
    assert learn({}, [7, 8], *SERVER, kids=[Child(pid=20, age=OLD), Child(pid=21, age=OLD)]) == {}


def test_a_tab_is_not_taken_for_a_window() -> None:
    """The shell of a tab is older than the window that has just opened and has no shell yet."""
    kids = [Child(pid=20, age=OLD), Child(pid=21, age=OLD)]
    assert learn({20: 7}, [8], *SERVER, kids=kids) == {20: 7}


def test_nothing_is_learnt_from_two_new_children() -> None:
    kids = [Child(pid=20, age=OLD), Child(pid=21, age=NEW), Child(pid=22, age=NEW)]
    assert learn({20: 7}, [8], *SERVER, kids=kids) == {20: 7}


def test_a_window_that_went_is_forgotten() -> None:
    assert learn({20: 7, 21: 8}, [], SERVER[1], kids=[]) == {21: 8}
