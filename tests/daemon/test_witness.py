"""Who is at the other end: real processes that talk to a real monitor, and what readers are told of them."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from aimond.commands import hook
from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop
from tests.process.brokers import broker, confine

CLAUDE = "@anthropic-ai/claude-code/cli.js"
SLACK = 1.0  # seconds; readers are asked by a new process each time


class Cli:
    """A running fake, in a repository of its own."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process, self.directory = process, directory
        self.pid = int(self._answer())

    def says(self, name: str, **attributes: str) -> None:
        self._do({"event.name": name, "session.id": "s", **attributes})

    def hooks(self, event: str, **fields: Any) -> None:
        self._do({"hook_event_name": event, "session_id": "s", **fields})

    def _do(self, what: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.fixture(params=["sees for itself", "asks the broker"])
def desktop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus, ExitStack() as stack:
        desktop = Desktop(bus, tmp_path)
        if request.param == "asks the broker":
            confine(desktop, stack.enter_context(broker(tmp_path / "broker")))
        with desktop.monitor():
            yield desktop


@contextmanager
def running(desktop: Desktop, home: Path, name: str = CLAUDE, **more: Any) -> Iterator[Cli]:
    """The fake under that name, in ``home/work/src`` of the repository ``home/work``."""
    directory = home / "work" / "src"
    directory.mkdir(parents=True)
    (home / "work" / ".git").write_text("gitdir: elsewhere\n")
    script = home / name
    script.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("fake_cli.py"), script)
    command = [sys.executable, str(script), f"http://127.0.0.1:{desktop.http}/v1/logs", str(Path(hook.__file__))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=directory, env=desktop.environment, **pipes, **more) as process:
        try:
            yield Cli(process, directory)
        finally:
            process.kill()


def sessions(desktop: Desktop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(desktop.run("status", "--json").stdout)["sessions"]
    return found


def soon(desktop: Desktop, holds: Callable[[list[dict[str, Any]]], bool]) -> bool:
    """Whether it comes to hold for the sessions that readers see."""
    end = time.monotonic() + 10
    while not (held := holds(sessions(desktop))) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def test_a_session_has_the_process_that_sends(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path) as cli:
        cli.says("user_prompt")
        (session,) = sessions(desktop)
    assert (session["Pid"], session["Directory"], session["Project"]) == (cli.pid, str(cli.directory), "work")


def test_the_terminal_is_the_one_that_controls_the_process(desktop: Desktop, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:

        def take_the_terminal() -> None:
            os.setsid()
            os.close(os.open(os.ttyname(theirs), os.O_RDWR))

        with running(desktop, tmp_path, preexec_fn=take_the_terminal) as cli:
            cli.says("user_prompt")
            assert [session["Terminal"] for session in sessions(desktop)] == [os.ttyname(theirs)]
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_session_ends_with_its_process(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path) as cli:
        cli.says("user_prompt")
        assert len(sessions(desktop)) == 1
        os.kill(cli.pid, signal.SIGKILL)
        cli.process.wait()
        assert soon(desktop, lambda found: found == [])


def test_a_collector_owns_no_session_that_it_sends_of(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path, name="claude/collector.js") as cli:
        cli.says("user_prompt")
        (session,) = sessions(desktop)
        assert session["Pid"] == 0
        cli.process.kill()
        cli.process.wait()
        assert len(sessions(desktop)) == 1


def test_a_hook_tells_at_once_and_brings_its_callers_pid(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path) as cli:
        cli.hooks("SessionStart", cwd=str(cli.directory))
        cli.hooks("UserPromptSubmit", prompt="Hi")
        cli.hooks("PermissionRequest", tool_name="Bash")
        assert soon(desktop, lambda found: found[0]["State"] == "waiting")
        (session,) = sessions(desktop)
        assert (session["Pid"], session["Reason"], session["Evidence"]) == (cli.pid, "permission:Bash", "hook")
        cli.says("tool_decision", decision="accept", tool_name="Bash", tool_use_id="c", source="user_temporary")
        assert soon(desktop, lambda found: found[0]["State"] == "working")
        cli.hooks("SessionEnd", reason="exit")
        assert soon(desktop, lambda found: found == [])


def test_a_hook_can_come_over_the_bus(desktop: Desktop, tmp_path: Path) -> None:
    payload = json.dumps({"session_id": "s", "hook_event_name": "UserPromptSubmit", "prompt": "Hi"})
    with running(desktop, tmp_path) as cli:
        assert call_hook(desktop, payload, "1", "ppid", "u", str(cli.pid)).returncode == 0
        assert [(each["State"], each["Pid"]) for each in sessions(desktop)] == [("working", cli.pid)]
    refused = call_hook(desktop, "[]", "0")
    assert "no payload" in refused.stderr


def call_hook(desktop: Desktop, payload: str, *context: str) -> subprocess.CompletedProcess[str]:
    where = ["org.ai.Monitor", "/org/ai/Monitor", "org.ai.Monitor", "Hook", "ssa{sv}"]
    command = ["busctl", "--user", "call", *where, "claude-code", payload, *context]
    return subprocess.run(command, env=desktop.environment, capture_output=True, text=True, timeout=10, check=False)


def test_odd_hooks_are_counted_and_disturb_nobody(desktop: Desktop) -> None:
    for odd in ("", "nonsense", "[" * 20000, "{}", '{"hook_event_name": "Stop"}', "x" * 10_000_000):
        assert desktop.run("hook", "claude", input=odd).returncode == 0
    assert desktop.run("hook", "nobody", input='{"hook_event_name": "Stop", "session_id": "s"}').returncode == 0
    text = desktop.get("/metrics").decode()
    assert 'aimond_hooks_total{outcome="no_event"} 1.0' in text
    assert 'aimond_hooks_total{outcome="not_understood"} 0.0' in text
    assert sessions(desktop) == []


def test_a_monitor_beside_another_one_goes_on_without_hooks(desktop: Desktop, tmp_path: Path) -> None:
    """On another bus of the same user, as in a nested session."""
    with PrivateBus() as bus:
        second = Desktop(bus, tmp_path / "second")
        second.environment["XDG_RUNTIME_DIR"] = desktop.environment["XDG_RUNTIME_DIR"]
        command = [sys.executable, "-m", "aimond", "run"]
        with subprocess.Popen(command, env=second.environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            assert "hooks are not heard: another monitor listens" in process.stderr.readline()
            assert "is ready" in process.stderr.readline()
            process.terminate()
