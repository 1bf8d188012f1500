"""Which window a process is shown in; pure. What is a guess says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from aimond.core.trail import Child, Trail
from aimond.desktop.windows import Window

# How old the shell of a new window is at most, in seconds: terminals start it before they show themselves.
FRESH: Final = 5.0
# Shorter names are found in too many titles.
TELLING: Final = 3

Children = Callable[[int], Sequence[Child]]


class Certainty(IntEnum):
    """GUESS: one of several windows of the right process; LIKELY: the one that order or title points to."""

    GUESS = 1
    LIKELY = 2
    SURE = 3


class Match(Struct, frozen=True, kw_only=True):
    """A window for a process. ``child`` is what the terminal runs there, ``tty`` its terminal. ``alone``: the window
    shows nothing else, as far as can be seen; not so where a terminal has tabs, or the window is an editor's."""

    window: int
    certainty: Certainty
    child: int = 0
    tty: str = ""
    alone: bool = False


def match(
    trail: Trail, windows: Mapping[int, Window], children: Children, bound: Mapping[int, int], words: Iterable[str] = ()
) -> Match | None:
    """The window at the end of a trail, None if there is none.

    The nearest ancestor with a window is the terminal. Where it has several (``foot --server``), what was learnt
    before tells which (``bound``: child of the terminal → window), then WINDOWID, then the order in which shells and
    windows came if there are as many of one as of the other, then the only title with one of ``words`` in it.
    """
    owned = _by_process(windows.values())
    for index, step in enumerate(trail.steps):
        if step.pid in owned:
            child = trail.steps[max(0, index - 1)]
            kids = [kid.pid for kid in children(step.pid)]
            window, certainty = _choice(owned[step.pid], child.pid, kids, bound, trail.window, words)
            alone = child.pid in kids and len(kids) <= len(owned[step.pid])
            return Match(window=window.id, certainty=certainty, child=child.pid, tty=child.tty, alone=alone)
    # i3 does not tell whose process a window is (4.22), but terminals tell their programs which window they are in.
    named_by = [window for window in windows.values() if trail.window and window.x11 == trail.window and not window.pid]
    tty = trail.steps[0].tty if trail.steps else ""
    return Match(window=named_by[0].id, certainty=Certainty.SURE, tty=tty, alone=True) if named_by else None


def _choice(
    owned: list[Window], child: int, kids: list[int], bound: Mapping[int, int], x11: int, words: Iterable[str]
) -> tuple[Window, Certainty]:
    if len(owned) == 1:
        return owned[0], Certainty.SURE
    for window in owned:
        if bound.get(child) == window.id or (x11 and window.x11 == x11):
            return window, Certainty.SURE
    taken = {window: kid for kid, window in bound.items()}
    left = [window for window in owned if window.id not in taken]
    waiting = [kid for kid in kids if kid not in bound]
    if len(left) == len(waiting) and child in waiting:
        return left[waiting.index(child)], Certainty.SURE if len(left) == 1 else Certainty.LIKELY
    telling = [word.casefold() for word in words if len(word) >= TELLING]
    titled = [window for window in left or owned if any(word in window.title.casefold() for word in telling)]
    if len(titled) == 1:
        return titled[0], Certainty.LIKELY
    return (titled or left or owned)[-1], Certainty.GUESS


def bonds(new: Iterable[int], windows: Mapping[int, Window], children: Children, bound: dict[int, int]) -> None:
    """Learn which child of a terminal each ``new`` window shows, where only one can be it; forget windows that went.

    A terminal's only window shows its only child. One more window shows the only child that no other one shows, if
    that has just been started."""
    for kid in [kid for kid, window in bound.items() if window not in windows]:
        del bound[kid]
    owned = _by_process(windows.values())
    taken = set(bound.values())
    for window in (windows[each] for each in new if each in windows):
        if window.id in taken or not window.pid:
            continue
        siblings = owned[window.pid]
        waiting = [kid for kid in children(window.pid) if kid.pid not in bound]
        left = [each for each in siblings if each.id not in taken]
        if len(left) == len(waiting) == 1 and (len(siblings) == 1 or waiting[0].age < FRESH):
            bound[waiting[0].pid] = window.id


def _by_process(windows: Iterable[Window]) -> dict[int, list[Window]]:
    owned: dict[int, list[Window]] = {}
    for window in windows:
        if window.pid:
            owned.setdefault(window.pid, []).append(window)
    return owned
