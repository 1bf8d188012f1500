"""A broker as systemd runs it: the socket is there before it, and stays when it dies."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.daemon.test_command_line import Desktop

ROOT = Path(__file__).parents[2]
HANDED_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
# Where this user may have a namespace of users, and what is to run in one.
CONFINED = ("unshare", "--user", "--map-current-user")


class Broker:
    """One at a time, at a ``place``."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.place)
        self._listener.listen()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        number = self._listener.fileno()
        command = [sys.executable, "-c", HANDED_OVER, str(number), "-m", "aimond", "broker"]
        self.process = subprocess.Popen(command, pass_fds=(number,), cwd=ROOT)
        return self.process

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.kill()
        self._listener.close()


def confine(desktop: Desktop, asks: Broker) -> None:
    """Run the monitor in a namespace of users, as the unit does."""
    desktop.before = CONFINED
    desktop.environment["AIMOND_BROKER"] = asks.place


@contextmanager
def broker(place: Path) -> Iterator[Broker]:
    """One that runs."""
    made = Broker(place)
    made.start()
    try:
        yield made
    finally:
        made.close()
