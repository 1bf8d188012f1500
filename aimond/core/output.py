"""What the daemon tells of each change: the bus, the desktop, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aimond.core.change import Change


class Output(Protocol):
    """One reader inside the daemon. ``publish`` never blocks: what takes time is put down for ``run``, which lasts as
    long as the daemon; an output that breaks is started again, alone."""

    def publish(self, changes: Sequence[Change]) -> None:
        """Take note of what changed, perhaps of nothing (then only totals may be different)."""

    async def run(self) -> None:
        """Do what was put down, until cancelled."""
