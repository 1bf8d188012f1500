from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.busdaemon import PrivateBus


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    """A bus, with its environment as ours: history and sockets are below its directory."""
    with PrivateBus() as bus:
        for name, value in bus.environment.items():
            monkeypatch.setenv(name, value)
        yield bus


@pytest.fixture
def path(bus: PrivateBus) -> Path:
    """Where the history is."""
    return bus.directory / "state" / "aimond" / "history.sqlite3"
