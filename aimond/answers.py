"""What readers on the bus ask, answered from what the daemon's parts know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

from aimond import __version__
from aimond.core.budget import Standing
from aimond.core.change import Change, Health, Reason, Totals
from aimond.core.forwarding import Forwarding
from aimond.core.inhibitions import Inhibitions
from aimond.core.period import Period, parse
from aimond.core.rows import UsageRow
from aimond.core.shown import Shown
from aimond.core.snapshot import SessionSnapshot
from aimond.core.turn import SECOND
from aimond.hooks.message import Delivered, delivered
from aimond.spine import Spine

_LOG: Final = logging.getLogger(__name__)


class Desktop(Protocol):
    """Who brings terminals to the front; false if that cannot be done."""

    async def focus(self, agent: str, session_id: str) -> bool:
        """That of a session."""

    async def focus_next(self) -> bool:
        """That of the session which most needs its user."""


class History(Protocol):
    """Who remembers what was used."""

    async def usage(self, period: Period, group: str) -> list[UsageRow]:
        """In those days, by group. Raises ValueError for a group that there is not."""


class Forwards(Protocol):
    """Who sends on what is received."""

    @property
    def health(self) -> Forwarding:
        """How it goes."""


class Answers:
    """The bus's source. ``publish`` is told what asking changed, ``hooked`` of a hook; ``now``: µs since the epoch;
    ``catch_up`` understands what was accepted."""

    version = __version__

    def __init__(
        self,
        spine: Spine,
        publish: Callable[[list[Change]], None],
        hooked: Callable[[Delivered], None],
        now: Callable[[], int],
        history: History,
        forwards: Forwards,
        catch_up: Callable[[], None],
    ) -> None:
        self._history, self.catch_up = history, catch_up
        self.history_error = self.config_error = ""
        self._spine, self._publish, self._hooked, self._now = spine, publish, hooked, now
        self._forwards = forwards
        self.desktop: Desktop | None = None
        self._inhibitions = Inhibitions()

    def sessions(self) -> list[SessionSnapshot]:
        return self._spine.tracker.shown()

    def shown(self) -> Shown:
        return self._spine.tracker.reviews.shown

    def totals(self) -> Totals:
        today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        day, month = (round(start.timestamp()) * SECOND for start in (today, today.replace(day=1)))
        return self._spine.tracker.ledger.totals(day, month)

    def budgets(self) -> list[Standing]:
        return self._spine.tracker.accounts.budgets.standing(datetime.now().astimezone().date())

    def health(self) -> dict[str, Health]:
        return self._spine.health(self._now())

    def forwarding(self) -> Forwarding:
        return self._forwards.health

    def explain(self, agent: str, session_id: str) -> list[Reason]:
        return self._spine.tracker.explain(f"{agent}:{session_id}") or []

    def hook(self, agent: str, payload: str, context: dict[str, Any]) -> None:
        self._hooked(delivered({"agent": agent, "payload": payload, "context": context}, self._now()))

    async def usage(self, period: str, group: str) -> list[UsageRow]:
        days = parse(period, datetime.now().astimezone().date())
        return await self._history.usage(days, group)

    def misconfigured(self, why: str) -> None:
        """Newer settings are not taken, and why; "": they are."""
        self.config_error = why
        self._publish([])

    def inhibited(self) -> bool:
        return bool(self._inhibitions)

    def inhibit(self, caller: str, application: str, reason: str) -> int:
        cookie = self._inhibitions.add(caller)
        _LOG.info("%s (%s) wants no notifications: %s", application[:80], caller, reason[:200])
        self._publish([])
        return cookie

    def uninhibit(self, caller: str, cookie: int) -> bool:
        self._inhibitions.end(caller, cookie)
        self._publish([])
        return self._inhibitions.holds(caller)

    def caller_left(self, caller: str) -> None:
        self._inhibitions.left(caller)
        self._publish([])

    def acknowledge(self, agent: str, session_id: str) -> None:
        session = self._spine.tracker.find(f"{agent}:{session_id}")
        if session:
            self._publish(self._spine.tracker.acknowledge(session, self._now()))

    def focusable(self, agent: str, session_id: str, can: bool) -> None:
        session = self._spine.tracker.find(f"{agent}:{session_id}")
        if session:
            self._publish(self._spine.tracker.focusable(session, can, self._now()))

    async def focus(self, agent: str, session_id: str) -> bool:
        return self.desktop is not None and await self.desktop.focus(agent, session_id)

    async def focus_next(self) -> bool:
        return self.desktop is not None and await self.desktop.focus_next()

    def acknowledge_all(self) -> None:
        for snapshot in self.sessions():
            self.acknowledge(snapshot.agent, snapshot.id)
