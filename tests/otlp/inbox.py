"""Where what the receivers consume ends up."""

from __future__ import annotations

from aimond.otlp.record import Batch

NOON = 1_800_000_000_000_000  # when the receivers' clock always is, µs


class Inbox:
    """A queue of any length that says it is full when told to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.refusals = 0

    def consume(self, batch: Batch) -> bool:
        if self.refusals:
            self.refusals -= 1
            return False
        self.batches.append(batch)
        return True

    @property
    def batch(self) -> Batch:
        """The only one."""
        (batch,) = self.batches
        return batch
