"""A CLI at work while its monitor is killed or stopped, and started again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop
from tests.daemon.test_witness import Cli, running, sessions, soon

CALL = {
    "model": "claude-opus-5-5",
    "input_tokens": "1000",
    "output_tokens": "100",
    "cost_usd": "0.25",
    "request_id": "req_1",
    "prompt.id": "p",
}


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus:
        yield Desktop(bus, tmp_path)


def at_work(cli: Cli) -> None:
    cli.hooks("SessionStart", cwd=str(cli.directory))
    cli.hooks("UserPromptSubmit", prompt="Hi")
    cli.says("user_prompt", **{"prompt.id": "p"})
    cli.says("api_request", **CALL)


def saved(desktop: Desktop) -> bool:
    """Whether history has the call; the last second may be lost in a crash."""
    end = time.monotonic() + 10
    while not used(desktop) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    return bool(used(desktop))


def used(desktop: Desktop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(desktop.run("usage", "--json").stdout)["rows"]
    return found


def test_a_session_at_work_survives_a_crash_of_the_monitor(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path / "home") as cli:
        with desktop.monitor() as monitor:
            at_work(cli)
            assert saved(desktop)
            (before,) = sessions(desktop)
            monitor.kill()
        with desktop.monitor():
            (session,) = sessions(desktop)
            kept = ("Id", "Pid", "Project", "Cost", "ModelCalls", "Turns", "InputTokens", "StartedAt")
            assert {name: session[name] for name in kept} == {name: before[name] for name in kept}
            assert (session["State"], session["Confidence"]) == ("working", "inferred")
            assert before["Confidence"] == "exact"
            cli.says("api_request", **CALL)  # at another time: another call
            assert soon(desktop, lambda found: found[0]["ModelCalls"] == 2)
            cli.hooks("Stop", stop_hook_active=False)
            assert soon(desktop, lambda found: found[0]["State"] == "completed")
            os.kill(cli.pid, signal.SIGKILL)
            cli.process.wait()
            assert soon(desktop, lambda found: found == []), "its process is attended to"


def test_a_cli_that_ended_meanwhile_is_not_shown(desktop: Desktop, tmp_path: Path) -> None:
    with running(desktop, tmp_path / "home") as cli:
        with desktop.monitor() as monitor:
            at_work(cli)
            assert saved(desktop)
            monitor.kill()
        os.kill(cli.pid, signal.SIGKILL)
        cli.process.wait()
        with desktop.monitor():
            assert sessions(desktop) == []
            assert [row["calls"] for row in used(desktop)] == [1]


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_who_waits_still_does_after_an_orderly_restart_only(desktop: Desktop, tmp_path: Path, killed: bool) -> None:
    with running(desktop, tmp_path / "home") as cli:
        with desktop.monitor() as monitor:
            at_work(cli)
            cli.hooks("PermissionRequest", tool_name="Bash")
            assert saved(desktop)
            assert [session["State"] for session in sessions(desktop)] == ["waiting"]
            if killed:
                monitor.kill()
        with desktop.monitor():
            (session,) = sessions(desktop)
            told = (session["State"], session["Reason"], session["Confidence"])
            assert told == (("working", "", "inferred") if killed else ("waiting", "permission:Bash", "exact"))
            cli.says("tool_decision", decision="accept", tool_name="Bash", tool_use_id="c", source="user_temporary")
            assert soon(desktop, lambda found: (found[0]["State"], found[0]["Confidence"]) == ("working", "exact"))
            assert [row["calls"] for row in used(desktop)] == [1]
