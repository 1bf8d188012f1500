"""The service as systemd runs it, where other tests have a monitor of their own: see test_hardened_unit.py.

In a login of login.py, with ``INSIDE`` in the environment, ``desktop`` and monitor.py's ``live`` are the unit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from aimond.sections import Otlp
from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop

INSIDE: Final = "AIMOND_TEST_UNIT"
SERVICE: Final = "aimond.service"
BROKER: Final = "aimond-broker.service"
# What stays in the runtime directory from test to test: the login's own.
_STAYS: Final = ("aimond", "bus", "dbus-1", "systemd")
# There is no journal in a login of login.py.
LOG: Final = "log"
# Tests start it more often than a user would.
DROP_IN: Final = f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nStandardError=append:%h/{LOG}\n"
RESTRICTED: Final = re.compile(r"^CapBnd:\s0{16}$(?s:.*)^NoNewPrivs:\s1$(?s:.*)^Seccomp:\s2$", re.MULTILINE)
LIMIT: Final = 60.0  # seconds


def inside() -> bool:
    """Whether these tests are to use the unit."""
    return INSIDE in os.environ


def systemctl(*words: str, check: bool = True) -> str:
    """What ``systemctl --user`` says."""
    done = subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert not check or not done.returncode, f"systemctl {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


class Running:
    """The service's process, as far as tests ask for it."""

    @property
    def pid(self) -> int:
        return int(systemctl("show", "--property=MainPID", "--value", SERVICE))


class Unit(Desktop):
    """The user's own desktop: her home, her bus, and the service that ``aimond install`` has made there."""

    def __init__(self) -> None:
        home, default = Path.home(), Otlp()
        self.http, self.grpc = default.http_port, default.grpc_port
        self.config = home / ".config" / "aimond" / "config.toml"
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        systemctl("stop", SERVICE)
        shutil.rmtree(home / ".local" / "state", ignore_errors=True)
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text("")
        for left in Path(os.environ["XDG_RUNTIME_DIR"]).iterdir():
            if left.name not in _STAYS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    @contextmanager
    def monitor(self) -> Iterator[Any]:
        systemctl("restart", SERVICE)
        running = Running()
        status = Path(f"/proc/{running.pid}/status").read_text()
        assert RESTRICTED.search(status), f"it is not restricted: {status}"
        yield running
        with suppress(AssertionError):
            systemctl("stop", SERVICE)


@contextmanager
def desktop(home: Path) -> Iterator[Desktop]:
    """A bus and a monitor of one's own, which keeps its files in ``home``; inside, the user's."""
    if inside():
        yield Unit()
        return
    with PrivateBus() as bus:
        yield Desktop(bus, home)
