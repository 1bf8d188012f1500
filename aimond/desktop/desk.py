"""What notifications need of the rest of the daemon, and of the windows on the desktop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aimond.core.snapshot import SessionSnapshot


async def _nowhere(agent: str, session_id: str, token: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Desk:
    """``is_looked_at``: the user has its window in front. ``focus`` brings its terminal there, by its agent, its
    id, and an activation token that may be empty; false if it cannot.
    """

    is_inhibited: Callable[[], bool] = lambda: False
    is_looked_at: Callable[[SessionSnapshot], bool] = lambda session: False
    can_focus: Callable[[SessionSnapshot], bool] = lambda session: session.can_focus
    focus: Callable[[str, str, str], Awaitable[bool]] = _nowhere
    acknowledge: Callable[[str, str], None] = lambda agent, session_id: None
