"""A runtime directory of one's own, and a monitor's socket in it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aimond.hooks.listen import listening
from aimond.hooks.receive import receiving
from tests.hooks.desk import Desk, Told


@pytest.fixture
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="aimond-hooks-", dir="/tmp") as directory:  # a socket's path must be short
        yield Desk(Path(directory))


@pytest.fixture
async def told(desk: Desk) -> AsyncIterator[Told]:
    """What a monitor is told that listens at this desk."""
    told = Told()
    with listening(desk.socket) as listener:
        async with receiving(told.hooks.append, listener, clock=told.clock) as counts:
            told.counts = counts
            yield told
