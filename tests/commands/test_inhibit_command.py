"""``aimond inhibit -- COMMAND``: the command runs as if it ran alone, and no notifications meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.bus.reader import eventually
from tests.busdaemon import PrivateBus
from tests.commands.feed import AIMOND
from tests.commands.inhibitable import inhibitable


@asynccontextmanager
async def inhibiting(bus: PrivateBus, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [*AIMOND, "inhibit", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=bus.environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def finished(process: asyncio.subprocess.Process, stdin: bytes = b"") -> tuple[int | None, str, str]:
    async with asyncio.timeout(20):
        out, err = await process.communicate(stdin)
    return process.returncode, out.decode(), err.decode()


async def test_it_is_held_while_the_command_runs(bus: PrivateBus) -> None:
    async with inhibitable(bus.address) as monitor:
        async with inhibiting(
            bus, "--who", "me", "--why", "a talk", "--", "sh", "-c", "read x; echo got $x"
        ) as process:
            await eventually(lambda: list(monitor.held.values()) == [("me", "a talk")])
            assert await finished(process, b"it\n") == (0, "got it\n", "")
        await eventually(lambda: monitor.held == {})


async def test_the_command_is_the_reason_unless_there_is_another(bus: PrivateBus) -> None:
    async with inhibitable(bus.address) as monitor, inhibiting(bus, "sh", "-c", "read x") as process:
        await eventually(lambda: list(monitor.held.values()) == [("aimond inhibit", "sh -c 'read x'")])
        await finished(process, b"\n")


async def test_a_monitor_that_comes_later_is_inhibited_too(bus: PrivateBus) -> None:
    async with inhibiting(bus, "--", "sh", "-c", "echo runs; read x") as process:
        assert process.stdout
        assert await process.stdout.readline() == b"runs\n"
        for _ in range(2):
            async with inhibitable(bus.address) as monitor:
                await eventually(lambda: len(monitor.held) == 1)
        status, _, error = await finished(process, b"\n")
    assert status == 0
    assert "notifications are not inhibited: aimond is not running" in error


async def test_without_a_bus_the_command_runs_all_the_same(bus: PrivateBus) -> None:
    bus.stop()
    async with inhibiting(bus, "--", "echo", "runs") as process:
        status, out, error = await finished(process)
    assert (status, out) == (0, "runs\n")
    assert "no session bus" in error


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -KILL $$"), 128 + signal.SIGKILL),
        (("/nonexistent/program",), 127),
        (("/etc/passwd",), 126),
        ((), 2),
    ],
)
async def test_its_exit_status_is_the_commands(bus: PrivateBus, command: tuple[str, ...], status: int) -> None:
    async with inhibitable(bus.address), inhibiting(bus, "--", *command) as process:
        code, _, error = await finished(process)
    assert code == status
    assert "Traceback" not in error


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "USR1"])
async def test_signals_go_to_the_command(bus: PrivateBus, name: str) -> None:
    # dash runs a trap once the command in the foreground has ended, and so waits in the background
    script = f"trap 'echo {name}; kill $!; exit 3' {name}; sleep 60 >&- 2>&- & echo ready; wait"
    async with inhibitable(bus.address), inhibiting(bus, "--", "sh", "-c", script) as process:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert await finished(process) == (3, f"{name}\n", "")


async def test_ctrl_c_reaches_the_command_once(bus: PrivateBus) -> None:
    # The signal may come while "ready" is still being printed: to print then too would raise. And no input(), which
    # handles one that comes just before it waits only when it has been answered.
    say = "signal.signal(signal.SIGINT, lambda *_: os.write(1, b'once\\n')); print('ready', flush=True)"
    waits = "while not select.select([0], [], [], 0.05)[0]: pass\nprint('over')"
    run = [*AIMOND, "inhibit", "--", sys.executable, "-c", f"import os, select, signal; {say}\n{waits}"]
    pid, terminal = os.forkpty()
    if pid == 0:
        os.execve(sys.executable, run, bus.environment)
    seen = b""

    async def until(holds: Callable[[], Any]) -> None:
        nonlocal seen
        try:
            async with asyncio.timeout(20):
                while not holds():
                    seen += await asyncio.to_thread(os.read, terminal, 4096)
        except (OSError, TimeoutError):  # it ended, or hangs
            pytest.fail(seen.decode())

    await until(lambda: b"ready" in seen)
    os.write(terminal, b"\x03")
    await until(lambda: b"once" in seen)
    os.write(terminal, b"a\n")
    await until(lambda: b"over" in seen)
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    os.close(terminal)
    assert (os.waitstatus_to_exitcode(status), seen.count(b"once")) == (0, 1)
