"""The pipeline as on a machine of its own: a collector that runs alloy/aimond.alloy, and what it sends to."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import build, collector
from tests.pipeline.alloyfile import AlloyFile, read
from tests.pipeline.records import Request, all_requests
from tests.pipeline.running import free_port, running
from tests.pipeline.sink import Sink, sink

NEEDED = {"go": "Go 1.26 or newer", "prometheus": "prometheus", "npm": "npm", "node": "nodejs (20 or newer)"}
# Names that are the same components' older ones, deprecated in a newer collector than Alloy's.
EXPECTED = '" alias is deprecated'


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    for program, package in NEEDED.items():
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"install {package}")


@pytest.fixture(scope="session")
def alloy(programs: None) -> AlloyFile:
    """alloy/aimond.alloy as it is without any variables."""
    return read()


@pytest.fixture(scope="session")
def tapes() -> dict[str, list[Request]]:
    """The requests of all tapes."""
    return all_requests()


@dataclass(frozen=True)
class Running:
    """A collector: ``aimond`` and ``clis`` are the ports of its two receivers, ``prometheus`` that of its metrics,
    ``own`` that of those about itself."""

    aimond: int
    clis: int
    prometheus: int
    own: int
    pid: int
    log: Path

    @property
    def complaints(self) -> list[str]:
        """What it warned of."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if "\tinfo\t" not in line and EXPECTED not in line]


def post(port: int, requests: Sequence[Request]) -> None:
    """Send them all to an OTLP/HTTP receiver of this machine."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for signal, message in requests:
        _post(connection, signal, message.SerializeToString())
    connection.close()


def post_bytes(port: int, signal: str, body: bytes) -> None:
    """Send one."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    _post(connection, signal, body)
    connection.close()


def _post(connection: HTTPConnection, signal: str, body: bytes) -> None:
    connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()


@contextmanager
def collecting(
    directory: Path, change: Callable[[dict[str, Any]], None] = lambda _: None, port: int = 0, **environment: str
) -> Iterator[Running]:
    """A collector that runs alloy/aimond.alloy in that environment, with a change to its configuration; ``port``: where
    it takes from aimond, 0 for any."""
    directory.mkdir(parents=True, exist_ok=True)
    aimond, aimond_grpc, clis, clis_grpc, prometheus, own = (free_port() for _ in range(6))
    aimond = port or aimond
    places = {
        "AIMOND_ALLOY_HTTP": f"127.0.0.1:{aimond}",
        "AIMOND_ALLOY_GRPC": f"127.0.0.1:{aimond_grpc}",
        "AIMOND_ALLOY_CLIS_HTTP": f"127.0.0.1:{clis}",
        "AIMOND_ALLOY_CLIS_GRPC": f"127.0.0.1:{clis_grpc}",
        "AIMOND_ALLOY_QUEUE": str(directory / "queue"),
    }
    config = collector.configuration(
        read(environment=places | environment), f"127.0.0.1:{prometheus}", f"127.0.0.1:{own}"
    )
    config["connectors"]["spanmetrics/aimond"]["metrics_flush_interval"] = "1s"
    change(config)
    path, log = directory / "collector.yaml", directory / "collector.log"
    path.write_text(json.dumps(config))

    def ready() -> bool:
        for port in (aimond, clis):
            socket.create_connection(("127.0.0.1", port), 5).close()
        return True

    with running([str(build.collector()), "--config", str(path)], log, ready, {**os.environ, **environment}) as process:
        yield Running(aimond, clis, prometheus, own, process.pid, log)


@pytest.fixture
def upstream() -> Iterator[Sink]:
    with sink() as found:
        yield found
