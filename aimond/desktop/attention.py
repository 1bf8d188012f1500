"""What the user has looked at, by the focus of windows; and windows that ask for the user."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from aimond.core.snapshot import SessionSnapshot, State
from aimond.desktop.places import CAN_BE_SEEN, Places
from aimond.desktop.windows import Sessions, Settings, Windows


class Attention:
    """``check`` after each change, ``focus_moved`` when another window has the focus."""

    def __init__(self, windows: Windows, places: Places, sessions: Sessions, settings: Settings) -> None:
        self._windows, self._places, self._sessions, self._settings = windows, places, sessions, settings
        self._urgent: set[int] = set()
        self._dwell: asyncio.TimerHandle | None = None
        self._dwelt = False

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self.focus_moved()

    def focus_moved(self) -> None:
        """Begin to count how long this window has had the focus, if that matters."""
        if self._dwell:
            self._dwell.cancel()
        self._dwell, self._dwelt = None, False
        if self._settings.acknowledge and next(self._here(), None):
            self._dwell = asyncio.get_running_loop().call_later(self._settings.acknowledge_after, self._has_dwelt)

    async def check(self) -> None:
        """Acknowledge what was looked at for long enough; mark windows as urgent, or no longer."""
        if self._settings.urgent:
            await self._mark_urgent()
        if self._dwelt:
            self._dwelt = False
            for session in list(self._here()):
                if await self._places.is_shown(session):
                    self._sessions.acknowledge(session.agent, session.id)
        elif self._dwell is None:
            self.focus_moved()

    def _has_dwelt(self) -> None:
        self._dwell, self._dwelt = None, True
        self._places.look_at()

    def _here(self) -> Iterator[SessionSnapshot]:
        """Sessions with something to be seen, in the focused window."""
        for session in self._sessions.sessions():
            if session.state in CAN_BE_SEEN and self._places.is_focused(session):
                yield session

    async def _mark_urgent(self) -> None:
        """Mark the windows of waiting sessions once, unless they are looked at; unmark those that wait no more."""
        waiting = (session for session in self._sessions.sessions() if session.state is State.WAITING)
        wanted = {window for session in waiting if (window := self._places.window(session))}
        for window in self._urgent - wanted:
            await self._windows.set_urgent(window, False)
        for window in wanted - self._urgent - {self._windows.focused}:
            await self._windows.set_urgent(window, True)
        self._urgent = wanted
