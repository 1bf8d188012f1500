"""What the bus asks of whoever knows the sessions."""

from __future__ import annotations

from typing import Any, Protocol

from aimond.core.change import Health, Reason, Totals
from aimond.core.snapshot import SessionSnapshot


class Source(Protocol):
    """The truth behind the bus, asked whenever a reader asks; a session is named by its agent and its id."""

    @property
    def version(self) -> str:
        """The version of the service, for people."""

    def sessions(self) -> list[SessionSnapshot]:
        """The visible sessions as they are now, in any order."""

    def totals(self) -> Totals:
        """What all sessions used."""

    def health(self) -> dict[str, Health]:
        """Whether telemetry arrives, by agent."""

    def explain(self, agent: str, session_id: str) -> list[Reason]:
        """Why a visible session is in its state, the newest reason first."""

    def hook(self, agent: str, payload: str, context: dict[str, Any]) -> None:
        """A hook program says what its CLI told it. Raises ValueError for what cannot be read."""

    def acknowledge(self, agent: str, session_id: str) -> None:
        """The user has seen a visible session."""

    def acknowledge_all(self) -> None:
        """The user has seen every session."""
