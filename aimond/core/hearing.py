"""What has come from each agent so far, and whether its telemetry stays away while it works."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from aimond.core.change import Health
from aimond.core.turn import SECOND

# The slowest exporters hold records back for 5 s (Claude Code 2.1.330, Gemini CLI 0.61.0: by default).
SILENT_AFTER: Final = 20 * SECOND

NEVER: Final = "nothing has been received from it yet"
SILENT: Final = "its hooks arrive and its telemetry does not; `aimond doctor` tells why"


class Heard(Struct):
    """Counts of one agent, and times in µs. ``owed``: since when a prompt that a hook told of, in process ``by``,
    has been without a record; 0: none is."""

    records: int = 0
    hooks: int = 0
    last_hook: int = 0
    unknown: int = 0
    last: int = 0
    owed: int = 0
    by: int = 0

    def record(self, seen: int, known: bool) -> None:
        """A log record, span or metric of it was read."""
        self.records += 1
        self.unknown += not known
        self.last, self.owed = seen, 0

    def hook(self, seen: int) -> None:
        """A hook of it was called."""
        self.hooks += 1
        self.last_hook = seen

    def prompted(self, seen: int, pid: int) -> None:
        """A hook told of a prompt: telemetry of it has to follow."""
        if not self.owed:
            self.owed, self.by = seen, pid

    def jumped(self, by: int) -> None:
        """Time jumped by so many µs; nothing could come meanwhile."""
        self.owed = self.owed and self.owed + by

    def exited(self, pid: int) -> None:
        """A process that is gone owes nothing."""
        if pid == self.by:
            self.owed = 0

    def due(self, now: int) -> int | None:
        """When it will count as silent, None if that has come or nothing is owed."""
        due = self.owed + SILENT_AFTER
        return due if self.owed and due > now else None

    def health(self, now: int) -> Health:
        """Whether its telemetry arrives."""
        state, hint = ("ok", "") if self.records else ("never", NEVER)
        if self.owed and self.owed + SILENT_AFTER <= now:
            state, hint = "silent", SILENT
        return Health(state, self.last, self.records, self.unknown, hint, self.hooks, self.last_hook)
