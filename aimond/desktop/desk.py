"""What notifications need of the rest of the daemon, and of the windows on the desktop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from aimond.core.notice import Key
from aimond.core.snapshot import SessionSnapshot

_LOG: Final = logging.getLogger(__name__)


async def _nowhere(agent: str, session_id: str, token: str) -> bool:
    return False


class Desk(Struct, frozen=True):
    """``is_looked_at``: the user has it in front; where that takes a while, what will tell. ``focus`` brings it there:
    by its agent, its id, and an activation token that may be empty; false if it cannot.
    """

    is_inhibited: Callable[[], bool] = lambda: False
    is_looked_at: Callable[[SessionSnapshot], bool | Awaitable[bool]] = lambda session: False
    can_focus: Callable[[SessionSnapshot], bool] = lambda session: session.can_focus
    focus: Callable[[str, str, str], Awaitable[bool]] = _nowhere
    acknowledge: Callable[[str, str], None] = lambda agent, session_id: None


class Gaze:
    """Whether a session is looked at: a call answers, None while that is being found out; ``known`` is told then, and
    may ask again at once."""

    def __init__(self, ask: Callable[[SessionSnapshot], bool | Awaitable[bool]], known: Callable[[], None]) -> None:
        self._ask, self._known = ask, known
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._found: dict[Key, bool] = {}

    def __call__(self, session: SessionSnapshot) -> bool | None:
        key = session.agent, session.id
        if key in self._asking:
            return self._found.get(key)
        answer = self._ask(session)
        if isinstance(answer, bool):
            return answer
        self._asking[key] = asyncio.ensure_future(self._wait(key, answer))
        return None

    async def _wait(self, key: Key, answer: Awaitable[bool]) -> None:
        try:
            self._found[key] = await answer
        except Exception:
            _LOG.exception("whether a session is looked at was not found out; please report this")
            self._found[key] = False
        self._known()
        del self._asking[key], self._found[key]
