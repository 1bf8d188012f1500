"""Processes to look at: they say when they are ready, and are gone when the test is over."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
NOBODY = 65534

Child = subprocess.Popen[str]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def start(argv: list[str], **how: Any) -> Child:
    """Start a program in a process group of its own; returns when it has written a line."""
    how = {"stdin": subprocess.PIPE, **how}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, process_group=0, **how)
    assert process.stdout
    process.stdout.readline()
    return process


def end(process: Child) -> None:
    """End it, with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


@contextmanager
def running(argv: list[str], **how: Any) -> Iterator[Child]:
    process = start(argv, **how)
    try:
        yield process
    finally:
        end(process)


def python(code: str) -> list[str]:
    """A Python that runs some code, says a line, and waits for ever."""
    return [sys.executable, "-ISc", f"import os, socket, sys, time\n{code}\nprint('ready', flush=True)\ntime.sleep(60)"]


def shell(name: Path) -> list[str]:
    """A copy of the shell by that name, waiting."""
    name.parent.mkdir(parents=True, exist_ok=True)
    if not name.exists():
        name.write_bytes(Path("/bin/sh").read_bytes())
        name.chmod(0o755)
    return [str(name), "-c", "echo ready; read nothing"]


@contextmanager
def in_terminal(argv: list[str], **how: Any) -> Iterator[tuple[Child, str]]:
    """A program with a terminal of its own, and the terminal's name."""
    master, slave = pty.openpty()

    def take() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(argv, stdin=slave, stdout=subprocess.PIPE, text=True, preexec_fn=take, **how)
    try:
        assert process.stdout
        process.stdout.readline()
        yield process, os.ttyname(slave)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
        os.close(master)
        os.close(slave)


def as_nobody(question: Callable[[], Any]) -> Any:
    """What a user without rights is answered: ourselves, unless we are root."""
    if os.geteuid() != 0:
        return question()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os.write(writing, json.dumps(question()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        answer = json.loads(file.read())
    os.waitpid(child, 0)
    return answer


def reborn(pid: int, start_again: Callable[[], Child]) -> Child | None:
    """A process that got the pid of one which is gone; None where the kernel's choice cannot be guided."""
    for _ in range(50):
        try:
            LAST_PID.write_text(str(pid - 1))
        except OSError:
            return None
        process = start_again()
        if process.pid == pid:
            return process
        end(process)
    return None


@contextmanager
def crowd(number: int) -> Iterator[None]:
    """That many more processes."""
    code = f"i=0; while [ $i -lt {number} ]; do sleep 60 >/dev/null & i=$((i+1)); done; echo ready; wait"
    with running(["/bin/sh", "-c", code]):
        yield


@contextmanager
def connection(host: str, dialled: str = "", code: str = "", **how: Any) -> Iterator[tuple[Child, socket.socket]]:
    """A connection to a process that runs ``code`` with its end ``s``: the process, and our end."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as server:
        address = (dialled or host, server.getsockname()[1])
        with running(python(f"s = socket.create_connection({address!r})\n{code}"), **how) as process:
            ours, _ = server.accept()
            with ours:
                yield process, ours


def quickest(times: int, action: Callable[[], object]) -> float:
    """The shortest that it takes, in seconds."""

    def once() -> float:
        begin = time.perf_counter()
        action()
        return time.perf_counter() - begin

    return min(once() for _ in range(times))


def until(condition: Callable[[], bool], within: float = 5) -> None:
    end_of_patience = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end_of_patience, "it did not come about"
        time.sleep(0.005)
