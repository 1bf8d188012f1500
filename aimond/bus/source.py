"""What the bus asks of whoever knows the sessions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from aimond.core.budget import Standing
from aimond.core.change import Health, Reason, Totals
from aimond.core.forwarding import Forwarding
from aimond.core.rows import UsageRow
from aimond.core.shown import Shown
from aimond.core.snapshot import SessionSnapshot

# What a method of ours gives back, at once or later.
Results = list[Any] | Awaitable[list[Any]]


class Source(Protocol):
    """The truth behind the bus, asked whenever a reader asks; a session is named by its agent and its id."""

    @property
    def version(self) -> str:
        """The version of the service, for people."""

    def catch_up(self) -> None:
        """Understand whatever was accepted: who was told so expects to find it here."""

    def sessions(self) -> list[SessionSnapshot]:
        """The visible sessions as they are now, in any order."""

    def shown(self) -> Shown:
        """The same, summed up. Not to be changed."""

    def totals(self) -> Totals:
        """What all sessions used."""

    def budgets(self) -> list[Standing]:
        """How much of each budget is spent."""

    def health(self) -> dict[str, Health]:
        """Whether telemetry arrives, by agent."""

    def forwarding(self) -> Forwarding:
        """Whether what is received goes on to an upstream."""

    def explain(self, agent: str, session_id: str) -> list[Reason]:
        """Why a visible session is in its state, the newest reason first."""

    def hook(self, agent: str, payload: str, context: dict[str, Any]) -> None:
        """A hook program says what its CLI told it. Raises ValueError for what cannot be read."""

    async def focus(self, agent: str, session_id: str) -> bool:
        """Bring the terminal of a visible session to the front; false if that cannot be done."""

    async def focus_next(self) -> bool:
        """Bring the terminal of the session that most needs its user to the front; false if that cannot be done."""

    @property
    def history_error(self) -> str:
        """Why the history cannot be written, "" when it can."""

    @property
    def config_error(self) -> str:
        """Why newer settings were not taken, "" when they were."""

    async def usage(self, period: str, group: str) -> list[UsageRow]:
        """What was used in a period, by group. Raises ValueError for a period or a group that there is not."""

    def inhibited(self) -> bool:
        """Whether anybody asked for no notifications."""

    def inhibit(self, caller: str, application: str, reason: str) -> int:
        """A caller (its unique name on the bus) wants no notifications; its cookie. Raises TooMany."""

    def uninhibit(self, caller: str, cookie: int) -> bool:
        """End that; whether the caller still holds another. Raises ValueError for what it does not hold."""

    def caller_left(self, caller: str) -> None:
        """A caller that inhibited is gone."""

    def acknowledge(self, agent: str, session_id: str) -> None:
        """The user has seen a visible session."""

    def acknowledge_all(self) -> None:
        """The user has seen every session."""
