"""Telemetry alone, without any hook, on a whole desktop: whose connection it is, in which window and pane, what is
shown of it, what it used."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.headless import Desk, until
from tests.e2e.unit import desktop

MODEL = "claude-sonnet-4-5"
CALL = {"model": MODEL, "query_source": "repl_main_thread", "cost_usd": "0.25", "duration_ms": "5"}
TOKENS = {"input_tokens": "100", "output_tokens": "20", "cache_read_tokens": "3000", "cache_creation_tokens": "7"}
ERROR = {"model": MODEL, "query_source": "repl_main_thread", "error": "Overloaded", "status_code": "529"}
USED = {"calls": 1, "input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 3000, "cache_write_tokens": 7}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With three sessions: one in a window of its own, two in panes of a tmux, of which the other one is in front."""
    with ExitStack() as stack:
        machine = stack.enter_context(desktop(tmp_path))
        with machine.config.open("a") as config:
            config.write("[notifications]\nmin_duration = 0\n")
        desk = stack.enter_context(Desk(machine, tmp_path))
        desk.screen.run("mako", "--font", "DejaVu Sans 12")
        desk.screen.sway("workspace", "1")
        desk.screen.opened("foot", "sh", "-c", desk.cli("window").command)
        desk.screen.sway("workspace", "2")
        panes = [desk.cli(name).command for name in ("behind", "before")]
        desk.tmux("new-session", "-d", "-x", "80", "-y", "24", "-s", "work", panes[0])
        desk.tmux("new-window", "-t", "work:", panes[1])
        desk.screen.opened("foot", "tmux", "-S", str(desk.screen.runtime / "tmux"), "attach", "-t", "work")
        for cli in desk.clis.values():
            cli.meet()
            cli.logs("user_prompt", prompt_length="2")
        yield desk
        desk.tmux("kill-server")


def summaries(desk: Desk) -> list[str]:
    """Of what mako shows."""
    command = ["timeout", "10", "makoctl", "list"]
    told = subprocess.run(command, env=desk.desktop.environment, capture_output=True, text=True, check=False).stdout
    return sorted(each["summary"]["data"] for each in json.loads(told or '{"data": [[]]}')["data"][0])


def test_its_connection_leads_to_the_process_and_that_to_the_window_and_pane(desk: Desk) -> None:
    windows = {node["workspace"]: number for number, node in desk.screen.windows().items()}
    for name, cli in desk.clis.items():
        desk.until(name, Pid=cli.pid, Directory=str(cli.directory), Evidence="log", CanFocus=True)
    assert desk.sessions()["behind"]["Terminal"] == "tmux:work:0.0"
    for name, workspace, index in (("window", "1", None), ("behind", "2", "0"), ("before", "2", "1")):
        desk.empty()
        assert desk.focus(name) == 0
        assert desk.screen.focused == windows[workspace]
        if index:
            assert desk.tmux("display-message", "-p", "-t", "work:", "#{window_index}") == index


def test_a_failure_is_shown_and_usage_is_kept(desk: Desk) -> None:
    desk.empty()
    for cli in desk.clis.values():
        cli.logs("api_request", request_id=f"req-{cli.session}", **CALL, **TOKENS)
    desk.clis["behind"].logs("api_error", **ERROR)
    until(lambda: summaries(desk) == ["Claude Code in behind failed"], f"what is shown: {summaries(desk)}")
    desk.restart()
    told = json.loads(desk.desktop.run("usage", "today", "--by", "session", "--json").stdout)
    rows = {row["group"]: {name: row[name] for name in (*USED, "cost")} for row in told["rows"]}
    assert rows == {name: {**USED, "cost": 0.25} for name in desk.clis}
