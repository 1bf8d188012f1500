"""What leads from a session's process to the window it is shown in: processes, terminals, tmux clients."""

from __future__ import annotations

from aimond.core.value import named


@named
class Step:
    """A process, and the terminal that controls it ("" for none)."""

    pid: int
    tty: str


@named
class Trail:
    """A process and its ancestors, the nearest first. ``window`` is the X11 window that its terminal named in
    WINDOWID, 0 if none did."""

    steps: tuple[Step, ...] = ()
    window: int = 0


@named
class Child:
    """A process with a terminal that another one has started, ``age`` seconds ago: what a tab of a terminal runs."""

    pid: int
    age: float


@named
class Client:
    """A terminal that is attached to the tmux server of a process; ``shows``: its active pane is that process's."""

    pid: int
    tty: str
    shows: bool
