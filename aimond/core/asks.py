"""Whether an agent could stop to ask its user, as told from time to time."""

from __future__ import annotations

from typing import Final

KEPT: Final = 32


class Asks(dict[int, bool]):
    """What was told, by when."""

    def note(self, at: int, asks: bool | None) -> None:
        """Somebody said so at that time; None: nobody did."""
        if asks is not None:
            self[at] = asks
            if len(self) > KEPT:
                del self[min(self)]

    def at(self, time: int) -> bool | None:
        """Whether it could then; None where nothing has told."""
        known = max((told for told in self if told <= time), default=min(self, default=None))
        return None if known is None else self[known]
