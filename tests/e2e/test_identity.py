"""Whose session it is: the process, directory, project and terminal that a live aimond tells of sessions of real CLIs.

Directories are inside of git repositories, whose names are those of the projects."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.monitor import Live
from tests.e2e.places import Pane, Place, Report, Tmux, exit_of, having, installed, place, until
from tests.e2e.realcli import processes
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.terminal import Terminal
from tests.e2e.scenes import AGENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")
each_cli = pytest.mark.parametrize("cli", AGENTS)

# Seconds. Key presses of a Codex terminal come up to 1 s later (0.169.0), logs of Gemini CLI up to 5 s (0.61.0).
PATIENCE = 15
# What npm starts is Claude Code itself, but for Codex CLI a script that starts it, and for Gemini CLI one that starts
# itself anew, with other options for node.
LAUNCHED = ("codex", "gemini")
TASKS = {"alpha": "[[label:alpha;slow:4]]", "beta": "[[label:beta;bash:sleep 2;text:Done]]"}


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> Report:
    """How long after an exit its session was removed."""
    report = Report("from an exit to SessionRemoved")
    request.config.pluginmanager.register(report)
    return report


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """For the socket of a tmux, whose path must be short."""
    if not shutil.which("tmux"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("install tmux")
    with tempfile.TemporaryDirectory(prefix="aimond-tmux-", dir="/tmp") as directory:
        yield Path(directory)


def itself(cli: str, started: int) -> int:
    """The process that is the CLI, of those that were started for it."""
    return processes.descendants(started)[0] if cli in LAUNCHED else started


def terminal_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/fd/0").readlink())


async def told(aimond: Live, here: Place, repository: str, pid: int, terminal: str) -> str:
    """The session that the CLI has recorded for that repository, once aimond tells who and where it is."""
    directory = here.directory(repository)
    assert await until(lambda: here.session(directory), PATIENCE)
    session = here.session(directory)
    expected = {"Pid": pid, "Directory": str(directory), "Project": repository, "Terminal": terminal}

    def properties() -> dict[str, object]:
        return {name: aimond.story(session).properties.get(name) for name in expected}

    await aimond.until(lambda: properties() == expected, PATIENCE)
    assert properties() == expected, aimond.log
    assert aimond.story(session).properties["Agent"] == AGENTS[here.cli.name]
    return session


async def removed(aimond: Live, session: str, since: int) -> float:
    """Wait until a session is removed; returns how many seconds later that was."""
    assert await aimond.until(lambda: aimond.story(session).removed, 5), aimond.log
    return (aimond.story(session).removed_at - since) / 1e9


async def prompt(here: Place, panes: dict[str, Pane]) -> None:
    """Type a prompt in each pane, and press Enter in all of them at once."""
    for label, pane in panes.items():
        await pane.press(f"Tell me a story [[label:{label};slow:60]]".encode())
    await asyncio.sleep(0.8)  # or else Enter would look like a part of pasted text
    enter = [("send-keys", "-t", pane.id, "Enter", ";") for pane in panes.values()]
    await next(iter(panes.values())).tmux(*(word for words in enter for word in words))
    for label in panes:
        await here.asked(label)


@each_cli
async def test_two_sessions_at_once_are_told_apart(cli: str, aimond: Live, tmp_path: Path) -> None:
    installed(cli)
    async with place(CLIS[cli], aimond, *TASKS) as here:

        async def play(repository: str) -> None:
            terminal = Terminal(tmp_path / f"{repository}.tty")
            argv = here.argv(*here.cli.headless(f"Do it {TASKS[repository]}", tools=True))
            started = await terminal.start(argv, here.env, here.directory(repository))
            await here.asked(repository)
            tty = terminal_of(started.pid)
            session = await told(aimond, here, repository, itself(cli, started.pid), tty)
            assert await started.wait() == 0, terminal.screen.text()
            assert await removed(aimond, session, time.time_ns()) < 1
            terminal.close()

        await asyncio.gather(*map(play, TASKS))


@each_cli
async def test_a_cli_in_tmux_is_shown_in_its_pane_until_it_is_killed(
    cli: str, aimond: Live, short_directory: Path, report: Report
) -> None:
    installed(cli)
    async with place(CLIS[cli], aimond, "alpha") as here:
        tmux = Tmux(short_directory, here)
        await tmux.start()
        pane = await tmux.interface(here.directory("alpha"))
        assert pane.name == "tmux:work:1.0"
        await prompt(here, {"alpha": pane})
        pid = itself(cli, pane.pid)
        session = await told(aimond, here, "alpha", pid, pane.name)
        os.kill(pid, signal.SIGKILL)
        delay = await removed(aimond, session, time.time_ns())
        report.lines.append(f"{cli + ', killed':16} {delay * 1000:5.0f} ms")
        assert aimond.story(session).removed == "exited"
        assert delay < 1


@pytest.mark.parametrize("at_once", [False, True], ids=["one-after-the-other", "at-once"])
async def test_each_terminal_of_one_codex_daemon_has_the_session_that_it_asked_for(
    at_once: bool, aimond: Live, short_directory: Path, report: Report
) -> None:
    installed("codex")
    async with place(CLIS["codex"], aimond, "alpha", "beta") as here:
        tmux = Tmux(short_directory, here)
        await tmux.start()
        panes = {repository: await tmux.interface(here.directory(repository)) for repository in ("alpha", "beta")}
        for group in [panes] if at_once else [{name: pane} for name, pane in panes.items()]:
            await prompt(here, group)
        pids = {name: itself("codex", pane.pid) for name, pane in panes.items()}
        sessions = {name: await told(aimond, here, name, pids[name], pane.name) for name, pane in panes.items()}
        assert len(daemons(here)) == 1

        await panes["alpha"].press(b"\x1b")  # while it answers there is no /quit
        await asyncio.sleep(1)
        await panes["alpha"].press(b"/quit")
        await asyncio.sleep(0.8)
        await panes["alpha"].press(b"\r")
        exited = await exit_of(pids["alpha"])
        delay = await removed(aimond, sessions["alpha"], exited)
        report.lines.append(f"{'codex, quit':16} {delay * 1000:5.0f} ms")
        assert delay < 1
        await asyncio.sleep(2)
        assert not aimond.story(sessions["beta"]).removed
        assert len(daemons(here)) == 1


def daemons(here: Place) -> list[int]:
    """The background processes that sessions of that home run in."""
    return [pid for pid in having("HOME", str(here.home)) if "app-server --listen" in processes.command_line(pid)]
