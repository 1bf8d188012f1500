"""The commands as a user runs them: real processes, a private bus, exit codes and what they print."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aimond.otlp.ports import listen
from tests.busdaemon import PrivateBus

AIMOND = (sys.executable, "-m", "aimond")
TAPES = Path(__file__).parents[1] / "tapes"


class Desktop:
    """A home, a bus, and two free ports."""

    def __init__(self, bus: PrivateBus, home: Path) -> None:
        (home / "aimond").mkdir(parents=True, exist_ok=True)
        sockets = [*listen(("127.0.0.1",), 0), *listen(("127.0.0.1",), 0)]
        self.http, self.grpc = (each.getsockname()[1] for each in sockets)
        for each in sockets:
            each.close()
        self.config = home / "aimond" / "config.toml"
        self.config.write_text(f"[otlp]\nhttp_port = {self.http}\ngrpc_port = {self.grpc}\n")
        self.environment = {**bus.environment, "XDG_CONFIG_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.environment["XDG_STATE_HOME"] = str(home / "state")
        self.before: tuple[str, ...] = ()  # what starts the monitor

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **more.pop("environment", {})}
        command = [*AIMOND, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False, **more)

    @contextmanager
    def monitor(self) -> Iterator[subprocess.Popen[str]]:
        command = [*self.before, *AIMOND, "run"]
        with subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr
                assert "is ready" in process.stderr.readline()
                yield process
            finally:
                process.terminate()

    def get(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", headers=headers)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus:
        yield Desktop(bus, tmp_path)


@pytest.mark.parametrize("attempt", range(8))
def test_a_terminated_monitor_leaves_in_good_order(desktop: Desktop, attempt: int) -> None:
    """However far its connections have got by then."""
    with desktop.monitor() as monitor:
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(5) == 0


def test_where_no_window_is_known_focus_says_so_and_exits_1(desktop: Desktop) -> None:
    with desktop.monitor():
        for words in ([], ["--next"]):
            done = desktop.run("focus", *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert "no session needs you" in done.stderr
        unknown = desktop.run("focus", "nobody")
        assert unknown.returncode == 1
        assert "no session 'nobody'" in unknown.stderr


def test_what_a_command_imports_is_not_looked_through_for_rubbish() -> None:
    asked = "import gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000, gc.get_count()[2])"
    program = f"from aimond.commands import status; status.run = lambda _: exec({asked!r})"
    command = [sys.executable, "-c", f"{program}; from aimond.__main__ import main; main(['status'])"]
    assert subprocess.check_output(command, text=True) == "True True 0\n"


def test_a_second_monitor_says_who_is_there_and_exits_1(desktop: Desktop) -> None:
    with desktop.monitor() as monitor:
        second = desktop.run("run")
    assert second.returncode == 1
    assert f"already running on this bus (pid {monitor.pid})" in second.stderr


def test_a_port_in_use_names_its_holder_and_the_key_to_change(desktop: Desktop) -> None:
    (taken,) = listen(("127.0.0.1",), desktop.grpc)
    with taken:
        refused = desktop.run("run")
    assert refused.returncode == 1
    assert f"port {desktop.grpc} is in use by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "`grpc_port`" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[otlp]\nhtp_port = 1\n", "otlp.htp_port"),
        ("[otlp]\nhttp_port = 70000\n", "otlp.http_port"),
        ("[otlp\n", "line 1"),
    ],
)
def test_a_wrong_configuration_names_the_key_and_exits_2(desktop: Desktop, text: str, named: str) -> None:
    desktop.config.write_text(text)
    refused = desktop.run("run")
    assert refused.returncode == 2
    assert named in refused.stderr
    assert str(desktop.config) in refused.stderr


@pytest.mark.parametrize("command", ["status", "watch", "explain"])
def test_without_a_monitor_commands_say_what_to_do(desktop: Desktop, command: str) -> None:
    refused = desktop.run(command)
    assert refused.returncode == 1
    assert "`aimond run`" in refused.stderr


def test_without_a_session_bus_commands_say_so(desktop: Desktop, tmp_path: Path) -> None:
    nowhere = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    refused = desktop.run("status", environment=nowhere)
    assert refused.returncode == 1
    assert "no session bus" in refused.stderr


def test_what_a_tape_does_is_seen_by_every_command(desktop: Desktop) -> None:
    tape = str(next(TAPES.rglob("claude/2.1.330/streamjson.tape.jsonl.gz")))
    with desktop.monitor():
        watching = subprocess.Popen(
            [*AIMOND, "watch", "--json"], env=desktop.environment, stdout=subprocess.PIPE, text=True
        )
        assert desktop.run("status").stdout == "no sessions\n"
        sent = desktop.run("replay", tape, "--to", f"http://127.0.0.1:{desktop.http}", "--speed", "max")
        assert (sent.returncode, sent.stderr) == (0, "")
        status = desktop.run("status")
        listed = json.loads(desktop.run("status", "--json").stdout)
        explained = desktop.run("explain")
        watching.terminate()
        told = [json.loads(line)["signal"] for line in watching.communicate()[0].splitlines()]
    (session,) = listed["sessions"]
    assert (session["Agent"], session["Turns"], session["State"]) == ("claude-code", 2, "completed")
    assert "claude-code" in status.stdout
    assert "\x1b" not in status.stdout
    assert session["Id"] in explained.stdout
    assert "completed" in explained.stdout
    assert {"SessionAdded", "SessionStateChanged", "SessionCompleted"} <= set(told)


def test_the_demo_plays_three_agents_as_if_they_happened_now(desktop: Desktop) -> None:
    with desktop.monitor():
        url = f"http://127.0.0.1:{desktop.http}"
        played = desktop.run("demo", "--to", url, "--speed", "max")
        metrics = desktop.get("/metrics").decode()
        listed = json.loads(desktop.run("status", "--json").stdout)
    assert played.returncode == 0, played.stderr
    for agent in ("claude-code", "codex", "gemini-cli"):
        assert f'aimond_records_total{{agent="{agent}"}} 0.0' not in metrics
    assert listed["monitor"]["TokensToday"] > 0


def test_a_demo_for_nobody_says_so(desktop: Desktop) -> None:
    refused = desktop.run("demo", "--to", f"http://127.0.0.1:{desktop.http}", "--speed", "max")
    assert refused.returncode == 1
    assert "is the monitor running?" in refused.stderr


def test_health_is_told_and_browsers_are_not(desktop: Desktop) -> None:
    with desktop.monitor():
        assert json.loads(desktop.get("/healthz"))["status"] == "ok"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            desktop.get("/healthz", Origin="https://example.com")


@pytest.mark.parametrize("broken", ["", "not json", '{"kind": "tape"}\n{'])
def test_what_is_no_tape_is_told_with_2(desktop: Desktop, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "x.tape.jsonl"
    path.write_text(broken)
    refused = desktop.run("replay", str(path))
    assert refused.returncode == 2
    assert str(path) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_replay_is_the_same_bytes_every_time(desktop: Desktop) -> None:
    tape = str(next(TAPES.rglob("claude/2.1.330/tui-auto.tape.jsonl.gz")))
    first, second = (desktop.run("replay", tape, environment={"PYTHONHASHSEED": seed}).stdout for seed in "12")
    assert first == second
    assert first.count("\n") > 5


def test_a_replay_that_nobody_reads_to_its_end_is_no_error(desktop: Desktop) -> None:
    tapes = " ".join(str(path) for path in sorted(TAPES.rglob("claude/2.1.330/*.tape.jsonl.gz")))
    pipeline = f"{sys.executable} -m aimond replay {tapes} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", pipeline], env=desktop.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("{")
    assert "Traceback" not in done.stderr


async def test_an_idle_monitor_sleeps(desktop: Desktop) -> None:
    """No polling, no periodic task: the kernel counts how often it gave up the processor."""
    with desktop.monitor() as monitor:
        desktop.run("demo", "--to", f"http://127.0.0.1:{desktop.http}", "--speed", "max")
        await asyncio.sleep(1)
        before = switches(monitor.pid)
        await asyncio.sleep(3)
        assert switches(monitor.pid) - before <= 3


def switches(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
