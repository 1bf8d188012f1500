"""Which notices the user wants, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final, Self

from msgspec import Struct

from aimond.core.notice import Kind, Notice
from aimond.core.snapshot import SessionSnapshot

# What only its parent has use for, of a sub-agent.
_OF_PARENTS: Final = (Kind.COMPLETED, Kind.QUIET)
_SECOND: Final = 1_000_000


class Hours(Struct, frozen=True):
    """A part of every day by the clock on the wall, from ``start`` until ``end``, over midnight if that is earlier."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """``22:00-07:00``; None for the empty text and for hours of no length. ValueError for anything else."""
        if not text:
            return None
        start, _, end = (part.strip() for part in text.partition("-"))
        hours = cls(time.fromisoformat(start), time.fromisoformat(end))
        return hours if hours.start != hours.end else None

    def until(self, now: datetime) -> datetime | None:
        """When they end, if ``now`` is within them. Both are wall clock times of one place, without a zone: a night in
        which the clock is changed is an hour longer or shorter, and ends when the clock says so."""
        at = now.time()
        over_midnight = self.end < self.start
        inside = (at >= self.start or at < self.end) if over_midnight else self.start <= at < self.end
        if not inside:
            return None
        tomorrow = over_midnight and at >= self.start
        return datetime.combine(now.date() + timedelta(days=int(tomorrow)), self.end)


class Policy(Struct, frozen=True, kw_only=True):
    """The settings of notifications. ``min_duration``: turns that took less time are no news, µs; a ``muted`` project
    is a name, or the absolute path of a directory for all that is below."""

    enabled: bool = True
    kinds: Collection[str] = tuple(Kind)
    min_duration: int = 10_000_000
    muted_agents: Collection[str] = ()
    muted_projects: Collection[str] = ()
    quiet_hours: Hours | None = None
    waiting_in_quiet_hours: bool = False
    show_cost: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """As the configuration has it: a duration in seconds, hours as text (ValueError if they cannot be read)."""
        told = {
            "min_duration": round(settings["min_duration"] * _SECOND),
            "quiet_hours": Hours.parse(settings["quiet_hours"]),
        }
        return cls(**{**settings, **told})

    def wants(self, notice: Notice) -> bool:
        """Whether the user wants it at all."""
        if not self.enabled or notice.kind not in self.kinds:
            return False
        session = notice.session
        if session and (self.is_muted(session) or (session.parent and notice.kind in _OF_PARENTS)):
            return False
        return notice.duration is None or notice.duration >= self.min_duration

    def is_muted(self, session: SessionSnapshot) -> bool:
        """Whether its agent or its project is."""
        if session.agent in self.muted_agents or session.project in self.muted_projects:
            return True
        below = f"{session.directory.rstrip('/')}/"
        return any(below.startswith(f"{each.rstrip('/')}/") for each in self.muted_projects if each.startswith("/"))

    def silent_until(self, now: datetime) -> datetime | None:
        """When the quiet hours end, if ``now`` (wall clock) is within them."""
        return self.quiet_hours.until(now) if self.quiet_hours else None
