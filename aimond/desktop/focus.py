"""Brings sessions' terminals to the front, and knows which of them their user is looking at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from aimond.core.change import Change
from aimond.core.snapshot import RANK, SessionSnapshot
from aimond.desktop.attention import Attention
from aimond.desktop.desk import Desk
from aimond.desktop.match import Certainty
from aimond.desktop.places import Places, needs_user
from aimond.desktop.windows import News, Processes, Sessions, Settings, Windows

PATIENCE: Final = 2.0  # seconds for all that a call does
ORIENTATION: Final = 0.5  # seconds after the start in which the windows become known, if there are any


class Focus:
    """An output of the daemon, for one desktop. What readers call never raises, and ends within 2 s."""

    def __init__(self, windows: Windows, processes: Processes, sessions: Sessions, settings: Settings) -> None:
        self._windows, self._processes, self._sessions, self._settings = windows, processes, sessions, settings
        self._places = Places(windows, processes)
        self._attention = Attention(windows, self._places, sessions, settings)
        self._one_at_a_time = asyncio.Lock()
        self._has_heard, self._is_oriented = False, asyncio.Event()

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self._attention.configure(settings)

    def over(self, desk: Desk) -> Desk:
        """That desk, whose windows are known: what is looked at, and how it comes to the front."""
        return replace(
            desk,
            is_looked_at=lambda session: self.may_be_looked_at(session) and self.looked_at(session),
            focus=lambda agent, session_id, token: self.focus(agent, session_id),
        )

    async def focus(self, agent: str, session_id: str) -> bool:
        """Bring the terminal of a session to the front, and take the session for seen; false if that cannot be done.

        Where only the terminal's process is known and not which of its windows, one of them comes to the front, but
        the answer is false."""
        session = next((one for one in self._sessions.sessions() if (one.agent, one.id) == (agent, session_id)), None)
        return session is not None and await self._first([session])

    async def focus_next(self) -> bool:
        """Focus the session that most needs its user: by state, the longest wait first; if that is where the user is,
        the next one after it. False if none does, or none of those can be focused."""
        needy = [session for session in self._sessions.sessions() if needs_user(session)]
        needy.sort(key=lambda session: (RANK[session.state], session.state_since, session.id))
        return await self._first(needy, follow=True)

    def may_be_looked_at(self, session: SessionSnapshot) -> bool:
        """Whether ``looked_at`` is worth asking: false where its window has no focus."""
        return self._places.is_focused(session) or not self._is_oriented.is_set()

    async def looked_at(self, session: SessionSnapshot) -> bool:
        """Whether the focused window is the session's, surely, and shows it: with its tmux pane active. (Whether
        anybody sits there is not known.) At the start, as soon as the windows are known."""
        await self._is_oriented.wait()
        return await self._places.is_shown(session)

    def publish(self, changes: Sequence[Change]) -> None:
        """Note whose process is another one, and what may have been seen."""
        for change in changes:
            self._places.note(change)

    async def run(self) -> None:
        """Follow the desktop."""
        patience = ORIENTATION if self._windows.is_expected else 0
        asyncio.get_running_loop().call_later(patience, self._is_oriented.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._windows.run(self._heard))
            tasks.create_task(self._keep())

    def _heard(self, news: News) -> None:
        if news is News.FOCUS:
            self._has_heard = True
            self._attention.focus_moved()
        else:
            self._places.windows_changed()

    async def _keep(self) -> None:
        while True:
            await self._places.due.wait()
            self._places.due.clear()
            knows = self._has_heard
            for key, can in await self._places.refresh(self._sessions.sessions()):
                self._sessions.focusable(*key, can)
            if knows:
                self._is_oriented.set()
            await self._attention.check()

    async def _first(self, sessions: list[SessionSnapshot], *, follow: bool = False) -> bool:
        """Focus the first that can be; with ``follow``, after the last of them that is looked at now."""
        try:
            async with asyncio.timeout(PATIENCE), self._one_at_a_time:
                here = [index for index, each in enumerate(sessions) if follow and await self.looked_at(each)]
                start = here[-1] + 1 if here else 0
                await self._windows.look()
                for session in sessions[start:] + sessions[:start]:
                    if await self._focus(session):
                        return True
        except TimeoutError:
            pass
        return False

    async def _focus(self, session: SessionSnapshot) -> bool:
        found = await self._places.find(session)
        if found and found.match.certainty < Certainty.SURE and self._settings.ask_titles:
            found = await self._places.find_by_asking(session, found)
        if found is None:
            return False
        revealed = [await self._processes.reveal(pid, client) for pid, client in found.panes]
        focused = await self._windows.focus(found.match.window) and all(revealed)
        self._places.look_at((session.agent, session.id))
        if not focused or found.match.certainty is Certainty.GUESS:
            return False
        self._sessions.acknowledge(session.agent, session.id)
        return True
