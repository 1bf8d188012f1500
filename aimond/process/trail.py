"""From a process to the window it is shown in: its ancestors, the children of terminals, the clients of its tmux."""

from __future__ import annotations

import os
import time
from itertools import takewhile
from typing import Final

from aimond.core.trail import Child, Client, Step, Trail
from aimond.process import proc, tmux

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def trail(pid: int) -> Trail:
    """A process and its ancestors; empty when it is gone."""
    steps = tuple(Step(pid=each, tty=tty) for each, tty in proc.lineage(pid))
    (window,) = proc.environment(pid, "WINDOWID")
    return Trail(steps=steps, window=int(window) if window.isdecimal() and len(window) < 12 else 0)


def children(pid: int) -> list[Child]:
    """Those children of a process that have a terminal of their own, the oldest first."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    own = _tty(pid)
    shown = [child for child in proc.children(pid) if _tty(child) not in ("", own)]
    by_start = sorted((start, child) for child in shown if (start := proc.started(child)))
    return [Child(pid=child, age=now - start / _TICKS) for start, child in by_start]


async def clients(pid: int) -> list[Client] | None:
    """The tmux clients that show a process or could, the likeliest first; None if it is in no pane."""
    pane = _pane(pid)
    return await tmux.clients(pane, _tty(pid)) if pane else None


async def reveal(pid: int, client: Client) -> bool:
    """Let a tmux client show the pane of a process; false if it does not."""
    pane = _pane(pid)
    return await tmux.show(pane, client) if pane else False


def _pane(pid: int) -> tmux.Inside | None:
    """What the environment says, else that of an ancestor on the same terminal: tmux in tmux is begun without it."""
    tty = _tty(pid)
    same = takewhile(lambda step: step[1] == tty, proc.lineage(pid)) if tty else ()
    return next((pane for each, _ in same if (pane := tmux.inherited(each))), None)


def _tty(pid: int) -> str:
    return next((tty for _, tty in proc.lineage(pid)), "")
