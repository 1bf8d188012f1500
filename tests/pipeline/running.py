"""Programs that run for the length of a test, each on ports of its own."""

from __future__ import annotations

import random
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc

PATIENT = 60.0  # seconds


def free_port() -> int:
    """One that stays free: from 32768 on, the kernel gives ports to whoever asks for any, or connects."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def get(url: str, timeout: float = 20.0) -> str:
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return str(answer.read().decode())


def until(what: Callable[[], Any], why: str, within: float = PATIENT) -> Any:
    """What it returns once that is true. Raises AssertionError with the reason when it never is."""
    deadline, found = time.monotonic() + within, None
    while time.monotonic() < deadline:
        try:
            found = what()
        except (OSError, urllib.error.URLError, grpc.RpcError):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{why}; at last: {found!r}")


@contextmanager
def running(
    command: Sequence[str], log: Path, ready: Callable[[], Any], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, once it is ready; it is ended afterwards. Raises AssertionError with its log when it is not."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:

        def up() -> Any:
            if process.poll() is not None:
                raise AssertionError(f"{command[0]} ended: {log.read_text()[-4000:]}")
            return ready()

        until(up, f"{command[0]} is not ready: {log.read_text()[-4000:]}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
