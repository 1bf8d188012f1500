"""The daemon and its floor, each a process of its own on a private bus."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.busdaemon import PrivateBus

START: Final = 20.0  # seconds
LOOK: Final = 0.002  # seconds between looks whether it listens: what is measured is rounded up to it
AIMOND: Final = [str(Path(sys.executable).with_name("aimond"))]  # as it is installed: `python -m` takes 8 ms
CONFIG: Final = """
[otlp]
http_port = 0
grpc = false
[sessions]
max = {sessions}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves HTTP. ``log``: what it has printed."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def cpu(self) -> int:
        """User and system time it has used, ns."""
        return cpu(self.process.pid)


@dataclass(frozen=True, slots=True)
class Servers:
    """What is measured, what it is measured against, and the bus of both."""

    aimond: Server
    floor: Server
    bus: PrivateBus

    @property
    def ports(self) -> tuple[int, int]:
        """Of both."""
        return self.aimond.port, self.floor.port


def cpu(pid: int) -> int:
    """What a process has used, ns (the clock id is that of ``clock_getcpuclockid(3)`` in glibc)."""
    return time.clock_gettime_ns(~pid << 3 | 2)


@contextmanager
def serving(sessions: int) -> Iterator[Servers]:
    """Both, freshly started; the daemon shows at most so many sessions."""
    with ExitStack() as running:
        bus = running.enter_context(PrivateBus())
        config = bus.directory / "config.toml"
        config.write_text(CONFIG.format(sessions=sessions))
        aimond = running.enter_context(started(bus, "aimond", "run", "--config", str(config)))
        floor = running.enter_context(started(bus, "tests.bench.floor"))
        yield Servers(aimond, floor, bus)
        assert "not understood" not in (log := aimond.log.read_text()), log


@contextmanager
def started(bus: PrivateBus, module: str, *arguments: str) -> Iterator[Server]:
    """A process on that bus, when it listens."""
    log = bus.directory / f"{module}.log"
    command = [*(AIMOND if module == "aimond" else [sys.executable, "-m", module]), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**bus.environment, "XDG_STATE_HOME": str(bus.directory)}, stdout=output, stderr=output
        )
    try:
        yield Server(process, _port(process, log), log)
    finally:
        process.terminate()
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"HTTP on port (\d+)", log.read_text()):
            return int(found[1])
        time.sleep(LOOK)
    raise RuntimeError(f"{log.name} has no port:\n{log.read_text()}")
