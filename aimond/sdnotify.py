"""What systemd is told, by sd_notify(3); nothing where it does not listen."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress


def tell(*lines: str) -> None:
    """Send assignments such as ``READY=1``. Never blocks; what cannot be sent is lost."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place[:1] in ("/", "@"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, suppress(OSError):
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), place.replace("@", "\0", 1) if place[0] == "@" else place)


def status(text: str) -> str:
    """The assignment that shows ``text``, as one line, in ``systemctl --user status``."""
    return f"STATUS={' '.join(text.split())}"


def reloading() -> None:
    """A reload begins; READY=1 ends it."""
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog() -> float | None:
    """Seconds between two pings of the watchdog: half its patience. None where there is no watchdog for us."""
    patience = os.environ.get("WATCHDOG_USEC", "")
    if not patience.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(patience) / 2e6 or None


def ping_from(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop itself ping the watchdog for good, so that a loop that is blocked does not. It pings now."""
    pause = watchdog()
    if pause:
        tell("WATCHDOG=1")
        loop.call_later(pause, ping_from, loop)
