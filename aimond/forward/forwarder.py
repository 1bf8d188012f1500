"""Whatever takes what was received, to send it on; where nothing is configured, nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from aimond.config import Config
from aimond.core.change import Change
from aimond.core.forwarding import OFF, Forwarding
from aimond.core.output import Output
from aimond.otlp.record import Batch


class Forwarder(Output, Protocol):
    """An output of the daemon that is also told of each request. ``cut``: resources that came back to it;
    ``unwritten``: requests that did not even get to the disk."""

    cut: int
    unwritten: int

    def admit(self, batch: Batch) -> bool:
        """False for a request that this monitor has sent itself; of one that has other records, those are left."""

    def take(self, batch: Batch) -> None:
        """Forward a request. Its body is not needed any more afterwards."""

    async def close(self) -> None:
        """Write what waits, for the next run to send; ``run`` has ended, and nothing more is taken."""

    def told(self, count: str) -> int:
        """What was counted since the start: a field of ``courier.Report``."""

    @property
    def health(self) -> Forwarding:
        """How it goes."""


class Nowhere:
    """Forwards nothing."""

    cut = unwritten = 0
    health = OFF

    def admit(self, batch: Batch) -> bool:
        """Every request is welcome, and its body of no use."""
        batch.body = b""
        return True

    def take(self, batch: Batch) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""

    def told(self, count: str) -> int:
        """Nothing."""
        return 0

    def publish(self, changes: Sequence[Change]) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Nothing."""


def forwarder(config: Config, changed: Callable[[], None]) -> Forwarder:
    """What that configuration asks for; ``changed`` is called when its health has another state."""
    if not config.forward.endpoint:
        return Nowhere()
    from aimond.forward.tee import Tee  # its imports are paid by those who want it

    return Tee(config, changed)
