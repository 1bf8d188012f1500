"""``aimond inhibit``: no notifications while a command runs, as ``systemd-inhibit`` does it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Final

from aimond.bus.client import CallFailed, Monitor, NotRunning
from aimond.commands import complain

# As a shell has it (POSIX.1-2017, 2.8.2).
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
BY_SIGNAL: Final = 128

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT)
_OF_THE_KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)


@complain
def run(arguments: argparse.Namespace) -> int:
    """Run the command, with the monitor's notifications inhibited if there is a monitor; its exit status."""
    command = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not command:
        print("aimond: which command? `aimond inhibit -- COMMAND`", file=sys.stderr)
        return 2
    return asyncio.run(_run(command, arguments.who, arguments.why or shlex.join(command)))


async def _run(command: list[str], who: str, why: str) -> int:
    holding = asyncio.ensure_future(_hold(who, why, held := asyncio.Event()))
    await asyncio.wait({holding, waiting := asyncio.ensure_future(held.wait())}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    signals: asyncio.Queue[int] = asyncio.Queue()
    with _caught(signals.put_nowait):
        try:
            child = await asyncio.create_subprocess_exec(*command)
        except OSError as error:
            print(f"aimond: {command[0]}: {error.strerror}", file=sys.stderr)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        passing_on = asyncio.ensure_future(_pass_on(signals, child))
        status = await child.wait()
        passing_on.cancel()
    holding.cancel()  # which leaves the bus, and so ends the inhibition
    with contextlib.suppress(asyncio.CancelledError):
        await holding
    return status if status >= 0 else BY_SIGNAL - status


async def _hold(who: str, why: str, held: asyncio.Event) -> None:
    """Inhibit, and again whenever another monitor comes. Whatever goes wrong is said and no reason not to run."""
    try:
        async with await Monitor.connect() as monitor:
            await monitor.subscribe()
            await _inhibit(monitor, who, why)
            held.set()
            async for change in monitor.changes():
                if change.name == "NameOwnerChanged" and change.values["new_owner"]:
                    await _inhibit(monitor, who, why)
    except (NotRunning, CallFailed) as error:
        _warn(error)


async def _inhibit(monitor: Monitor, who: str, why: str) -> None:
    try:
        await monitor.call("Inhibit", who, why)
    except (NotRunning, CallFailed) as error:
        _warn(error)


def _warn(error: Exception) -> None:
    print(f"aimond: notifications are not inhibited: {error}", file=sys.stderr)


async def _pass_on(signals: asyncio.Queue[int], child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            child.send_signal(await signals.get())


@contextlib.contextmanager
def _caught(take: Callable[[int], None]) -> Iterator[None]:
    """Take what we are sent for the child, but for what the terminal sends it too."""
    loop = asyncio.get_running_loop()
    foreground = os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    for number in _PASSED_ON:
        if foreground and number in _OF_THE_KEYBOARD:
            loop.add_signal_handler(number, lambda: None)
        else:
            loop.add_signal_handler(number, take, number)
    try:
        yield
    finally:
        for number in _PASSED_ON:
            loop.remove_signal_handler(number)
