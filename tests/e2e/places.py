"""Where a user works: a home with one CLI, as `aimond setup` leaves it, its git repositories, and a tmux."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import homes
from tests.e2e.monitor import Live
from tests.e2e.realcli import processes
from tests.e2e.realcli.cli import Cli
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.realcli.mock_api import MockApi

# Those of realcli's own terminal, which its patterns for screens were made with.
COLUMNS, ROWS = 130, 45


@dataclass(frozen=True)
class Place:
    """A home with one CLI, whose model is a mock. ``since`` is when it was made, seconds since the epoch."""

    cli: Cli
    home: Path
    mock: MockApi
    env: dict[str, str]
    since: float

    def argv(self, *arguments: str) -> list[str]:
        """The command that starts the CLI."""
        return [str(self.cli.executable(default_cache())), *arguments]

    def directory(self, repository: str) -> Path:
        """A directory inside of that git repository."""
        return self.home / repository / "src"

    def session(self, directory: Path) -> str:
        """The id of the one session of the user's that the CLI has recorded for that directory, "" if there is none."""
        sessions = self.cli.sessions(self.home, self.since)
        found = {each.session_id for each in sessions if each.kind == "main" and each.cwd == str(directory)}
        assert len(found) <= 1, found
        return next(iter(found), "")

    async def asked(self, label: str) -> None:
        """Wait until the model has been asked by the prompt of that label."""
        assert await until(lambda: any(row["label"] == label for row in self.mock.rows), 60), self.mock.rows


@contextlib.asynccontextmanager
async def place(cli: Cli, live: Live | None, *repositories: str) -> AsyncIterator[Place]:
    """A new home with these repositories, set up for that aimond, if any, and with its hooks trusted. Whatever runs
    with that HOME is ended at the end."""
    async with homes.home(cli.name, live) if live else _plain_home() as home:
        tops = [home / name for name in repositories]
        for top in tops:
            (top / "src").mkdir(parents=True)
            await said("git", "init", "--quiet", str(top))
        if live:
            cli.trust_hooks(home)
        mock = cli.mock()
        await mock.start()
        cli.configure(home, mock.url, [*tops, *(top / "src" for top in tops)], None, None)
        env = cli.environment(home, mock.url)
        if live:
            env["XDG_RUNTIME_DIR"] = live.places["XDG_RUNTIME_DIR"]  # where hooks look for aimond
        try:
            yield Place(cli, home, mock, env, time.time())
        finally:
            await _end_all(home)
            await mock.stop()


@contextlib.asynccontextmanager
async def _plain_home() -> AsyncIterator[Path]:
    """A new home where nothing has been set up."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=default_cache(), ignore_cleanup_errors=True) as name:
        yield Path(name)


def installed(cli: str) -> None:
    """Install a CLI unless it is there."""
    assert install(CLIS[cli], default_cache()), f"npm could not install {CLIS[cli].package}"


async def said(*command: str, env: dict[str, str] | None = None) -> str:
    """What a program says; it must not fail."""
    process = await asyncio.create_subprocess_exec(*command, env=env, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    text, _ = await process.communicate()
    assert process.returncode == 0, f"{command}: {text.decode()}"
    return text.decode().rstrip("\n")


async def until(holds: Callable[[], object], within: float, every: float = 0.05) -> bool:
    """Wait until a condition holds; false if it does not within that many seconds."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(every)
    return True


async def exit_of(pid: int, within: float = 20) -> int:
    """Wait for the exit of a process; returns when it was, ns since the epoch, a few ms late."""
    assert await until(lambda: not processes.command_line(pid), within, 0.003), f"{pid} lives on"
    return time.time_ns()


def having(variable: str, value: str) -> list[int]:
    """The processes in whose environment that variable has that value."""
    entry, found = f"{variable}={value}".encode(), []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
    return found


async def _end_all(home: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in having("HOME", str(home)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if await until(lambda: not having("HOME", str(home)), 3):
            return


class Report:
    """Lines to be printed at the end of the run, once it is registered as a plugin of pytest."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.lines: list[str] = []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.lines:
            terminalreporter.section(self.title)
            for line in self.lines:
                terminalreporter.line(line)


# -- tmux ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pane:
    """A pane of a tmux. ``name``: as aimond is to call it; ``pid``: of the program that was started in it."""

    tmux: Tmux
    id: str
    name: str
    pid: int

    async def shows(self) -> str:
        """Its text, without empty lines."""
        text = await self.tmux("capture-pane", "-p", "-t", self.id)
        return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())

    async def press(self, stroke: bytes) -> None:
        """Send a key, or several."""
        await self.tmux("send-keys", "-t", self.id, "-H", *(f"{byte:02x}" for byte in stroke))


class Tmux:
    """A tmux server of one's own, with a session ``work``; its programs have the environment of a place."""

    def __init__(self, directory: Path, place: Place) -> None:
        self._socket, self._place = str(directory / "tmux"), place

    async def __call__(self, *words: str) -> str:
        return await said("tmux", "-u", "-f", "/dev/null", "-S", self._socket, *words, env=self._place.env)

    async def start(self) -> None:
        """A first window, in which nothing happens. The server ends with what runs in its windows."""
        await self("new-session", "-d", "-s", "work", "-x", str(COLUMNS), "-y", str(ROWS), "sleep", "3600")

    async def interface(self, directory: Path) -> Pane:
        """Start the CLI's full-screen interface in a new window; returns when it takes prompts."""
        cli, shown = self._place.cli, "#{pane_id} #{pane_pid} tmux:#{session_name}:#{window_index}.#{pane_index}"
        argv = self._place.argv(*cli.interactive())
        answer = await self("new-window", "-d", "-t", "work:", "-P", "-F", shown, "-c", str(directory), *argv)
        pane, pid, name = answer.split(" ")
        window = Pane(self, pane, name, int(pid))
        end = time.monotonic() + 60
        while not re.search(cli.ready, text := await window.shows()):
            assert time.monotonic() < end, f"{cli.name} did not get ready:\n{text}"
            for key in next((keys for pattern, keys in cli.dialogs if re.search(pattern, text)), ()):
                await window.press(key)
                await asyncio.sleep(0.7)
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        return window
