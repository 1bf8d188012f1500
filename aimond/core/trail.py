"""What leads from a session's process to the window it is shown in: processes, terminals, tmux clients."""

from __future__ import annotations

from msgspec import Struct


class Step(Struct, frozen=True, kw_only=True):
    """A process, and the terminal that controls it ("" for none)."""

    pid: int
    tty: str


class Trail(Struct, frozen=True, kw_only=True):
    """A process and its ancestors, the nearest first. ``window`` is the X11 window that its terminal named in
    WINDOWID, 0 if none did."""

    steps: tuple[Step, ...] = ()
    window: int = 0


class Child(Struct, frozen=True, kw_only=True):
    """A process with a terminal that another one has started, ``age`` seconds ago: what a tab of a terminal runs."""

    pid: int
    age: float


class Client(Struct, frozen=True, kw_only=True):
    """A terminal that is attached to the tmux server of a process; ``shows``: its active pane is that process's."""

    pid: int
    tty: str
    shows: bool
