"""The seam: what focus needs of a desktop's windows, of processes, of sessions and of the user's settings. Another
compositor is another ``Windows``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from aimond.core.snapshot import SessionSnapshot
from aimond.core.trail import Child, Client, Trail


class Window(Struct, frozen=True, kw_only=True):
    """A window: ``pid`` is its process, 0 where the desktop does not tell; ``x11`` its id under X11, else 0."""

    id: int
    pid: int = 0
    title: str = ""
    x11: int = 0


class News(StrEnum):
    """What a desktop tells: there are other windows now, or another one has the focus."""

    WINDOWS = "windows"
    FOCUS = "focus"


class Windows(Protocol):
    """The windows of a desktop, none while it is away. Nothing raises, and each call ends within a second or so."""

    @property
    def is_expected(self) -> bool:
        """Whether there may be a desktop to follow."""

    @property
    def known(self) -> Mapping[int, Window]:
        """By id, the oldest first; the titles are as old as the last ``look``."""

    @property
    def focused(self) -> int:
        """The window that has the focus, 0 for none."""

    async def look(self) -> None:
        """Read everything anew."""

    async def focus(self, window: int) -> bool:
        """Bring a window to the front, wherever it is; false if that failed."""

    async def set_urgent(self, window: int, urgent: bool) -> None:
        """Mark a window as one that asks for its user, or no longer."""

    async def titled(self, text: str, seconds: float) -> int:
        """Wait for a window whose title comes to hold that text; 0 if none does."""

    async def run(self, told: Callable[[News], None]) -> None:
        """Follow the desktop, through its restarts, until cancelled."""


class Processes(Protocol):
    """What is asked of processes; one that is gone has no trail, no children and no clients."""

    def trail(self, pid: int) -> Trail:
        """A process and its ancestors."""

    def children(self, pid: int) -> list[Child]:
        """Those children of a process that have a terminal, the oldest first."""

    async def clients(self, pid: int) -> list[Client] | None:
        """The tmux clients that show a process or could, the likeliest first; None if it is in no pane."""

    async def reveal(self, pid: int, client: Client) -> bool:
        """Let a tmux client show the pane of a process."""


class Sessions(Protocol):
    """What is asked and told of sessions."""

    def sessions(self) -> list[SessionSnapshot]:
        """The visible ones, in any order."""

    def acknowledge(self, agent: str, session_id: str) -> None:
        """The user has seen it."""

    def focusable(self, agent: str, session_id: str, can: bool) -> None:
        """Whether its window is known."""


class Settings(Protocol):
    """The user's wishes: ``[sway]`` of docs/config.md."""

    @property
    def acknowledge(self) -> bool:
        """Whether what the user looks at counts as seen."""

    @property
    def acknowledge_after(self) -> float:
        """For how many seconds a window has to have the focus for that."""

    @property
    def urgent(self) -> bool:
        """Whether windows of waiting sessions are marked."""

    @property
    def ask_titles(self) -> bool:
        """Whether a terminal may be asked by its title which window it is."""
