"""A desktop: aimond on a session bus of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.busdaemon import PrivateBus
from tests.daemon.sums import noon, posix
from tests.pipeline.running import free_port, get, running


@dataclass(frozen=True)
class Desktop:
    """``port``: where it takes OTLP/HTTP, and where its metrics are; ``environment``: that of its commands."""

    port: int
    log: Path
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def used(self, by: str) -> dict[str, dict[str, Any]]:
        """What history has of today, by the rows' names."""
        command = [sys.executable, "-m", "aimond", "usage", "--json", "--by", by]
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout
        return {row["group"]: row for row in json.loads(said)["rows"]}


@contextmanager
def desktop(directory: Path, settings: str = "") -> Iterator[Desktop]:
    """A running aimond. ``settings``: further lines of its config.toml."""
    port, log = free_port(), directory / "aimond.log"
    config = directory / "config" / "aimond" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"[otlp]\nhttp_port = {port}\ngrpc = false\n\n{settings}")
    with PrivateBus() as bus:
        places = {"XDG_CONFIG_HOME": directory / "config", "XDG_STATE_HOME": directory, "XDG_DATA_HOME": directory}
        places["XDG_CACHE_HOME"] = directory
        environment = bus.environment | {name: str(place) for name, place in places.items()} | {"TZ": posix(noon())}
        command = [sys.executable, "-m", "aimond", "run"]
        with running(command, log, lambda: get(f"http://127.0.0.1:{port}/healthz"), environment):
            yield Desktop(port, log, environment)
