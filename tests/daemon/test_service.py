"""As a service: what systemd hands over and is told, and new settings while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimond import sdnotify
from aimond.bus.client import Monitor
from aimond.otlp.ports import listen
from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import AIMOND, TAPES, Desktop

LIMIT = 20.0  # seconds


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus:
        yield Desktop(bus, tmp_path)


class Systemd:
    """What it would be told: the lines of each message."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.socket.settimeout(LIMIT)

    def told(self, first: str) -> dict[str, str]:
        """The next message that begins so."""
        while True:
            lines = self.socket.recv(4096).decode().split("\n")
            if lines[0] == first:
                return dict(line.split("=", 1) for line in lines)


@contextmanager
def service(desktop: Desktop, *prefix: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The monitor with nobody at a keyboard; its log is to be read."""
    command = [*prefix, *AIMOND, "run"]
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env={**desktop.environment, **environment}, text=True, **pipes) as process:
        limit = threading.Timer(3 * LIMIT, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def log_until(process: subprocess.Popen[str], words: str) -> str:
    """The log up to the line with these words."""
    assert process.stderr
    lines: list[str] = []
    while words not in "".join(lines[-1:]):
        lines.append(process.stderr.readline())
        assert lines[-1], f"it ended without {words!r}: {''.join(lines)}"
    return "".join(lines)


def say(desktop: Desktop, session: str) -> None:
    """A prompt of that session."""
    attributes = [
        {"key": key, "value": {"stringValue": value}}
        for key, value in {"event.name": "user_prompt", "session.id": session}.items()
    ]
    record = {"timeUnixNano": str(time.time_ns()), "attributes": attributes}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [record]}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}).encode()
    url = f"http://127.0.0.1:{desktop.http}/v1/logs"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        assert answer.status == 200


def sessions(desktop: Desktop) -> list[str]:
    told = json.loads(desktop.run("status", "--json").stdout)["sessions"]
    return sorted(session["Id"] for session in told)


# -- what systemd is told ---------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["{directory}/notify", "@aimond-test-{pid}"])
def test_systemd_is_told_of_readiness_life_reload_and_the_end(desktop: Desktop, tmp_path: Path, address: str) -> None:
    address = address.format(directory=tmp_path, pid=os.getpid())
    systemd = Systemd(address)
    with systemd.socket, service(desktop, NOTIFY_SOCKET=address, WATCHDOG_USEC="400000") as process:
        assert f"port {desktop.http}" in systemd.told("READY=1")["STATUS"]
        for _ in range(3):
            systemd.told("WATCHDOG=1")
        before = time.monotonic_ns() // 1000
        process.send_signal(signal.SIGHUP)
        assert before <= int(systemd.told("RELOADING=1")["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert systemd.told("READY=1")["STATUS"] == "settings read again, changed: nothing"
        process.terminate()
        systemd.told("STOPPING=1")
        assert process.wait(LIMIT) == 0


def test_a_loop_that_is_blocked_does_not_ping(desktop: Desktop, tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    with systemd.socket, service(desktop, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000") as process:
        systemd.told("READY=1")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        systemd.socket.setblocking(False)
        with pytest.raises(BlockingIOError):  # after what it had said before
            while systemd.socket.recv(4096):
                pass
        systemd.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            systemd.socket.recv(4096)
        process.send_signal(signal.SIGCONT)
        systemd.socket.settimeout(LIMIT)
        systemd.told("WATCHDOG=1")


@pytest.mark.parametrize(
    ("environment", "pause"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_pinged_twice_in_its_patience(
    environment: dict[str, str], pause: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert sdnotify.watchdog() == pause


def test_a_status_is_one_line() -> None:
    assert sdnotify.status("config.toml: line 1\nREADY=1") == "STATUS=config.toml: line 1 READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    sdnotify.tell("READY=1")


# -- what systemd hands over ------------------------------------------------------------------------


def test_sockets_that_are_handed_over_are_used_by_where_they_listen(desktop: Desktop) -> None:
    """systemd-socket-activate(1) is systemd's own; it starts the program at the first connection."""
    (free,) = listen(("127.0.0.1",), 0)
    other = free.getsockname()[1]
    free.close()
    hook = Path(desktop.environment["XDG_RUNTIME_DIR"], "aimond", "hook")
    hook.parent.mkdir(mode=0o700)
    places = (f"127.0.0.1:{desktop.http}", f"127.0.0.1:{other}", str(hook))
    listening = [word for place in places for word in ("-l", place)]
    passed = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PYTHONUNBUFFERED")
    environment = [word for name in passed for word in ("-E", f"{name}={desktop.environment[name]}")]
    with service(desktop, "systemd-socket-activate", *listening, *environment) as process:
        log_until(process, f"Listening on {hook}")
        inode = hook.stat().st_ino
        say(desktop, "early")
        log = log_until(process, "is ready")
        assert f"systemd listens where config.toml does not say so, at 127.0.0.1:{other}" in log
        assert f"OTLP/HTTP on port {desktop.http}, OTLP/gRPC on port {desktop.grpc}, hooks" in log
        assert sessions(desktop) == ["early"]
        process.terminate()
        assert process.wait(LIMIT) == 0
    assert hook.stat().st_ino == inode, "who made it removes it"


def test_sockets_of_another_process_are_not_taken(desktop: Desktop) -> None:
    with service(desktop, LISTEN_PID="1", LISTEN_FDS="2") as process:
        assert "systemd" not in log_until(process, "is ready")


# -- settings ---------------------------------------------------------------------------------------


def reload(desktop: Desktop, process: subprocess.Popen[str], text: str, says: str) -> str:
    desktop.config.write_text(text)
    process.send_signal(signal.SIGHUP)
    return log_until(process, says)


def test_new_settings_hold_at_once_and_sessions_stay(desktop: Desktop) -> None:
    ports = desktop.config.read_text()
    with service(desktop) as process:
        log_until(process, "is ready")
        for name in ("first", "second", "third"):
            say(desktop, name)
        reload(desktop, process, f"{ports}hosts = ['box']\n[sessions]\nmax = 2\n", "changed: otlp.hosts, sessions.max")
        assert sessions(desktop) == ["first", "second", "third"]
        say(desktop, "fourth")
        assert sessions(desktop) == ["fourth", "third"]
        assert desktop.get("/healthz", Host="box")
        reload(desktop, process, f"{ports}[log]\nlevel = 'debug'\n", "changed: log.level")
        say(desktop, "fifth")
        assert sessions(desktop) == ["fifth", "fourth", "third"]


def test_settings_that_are_wrong_change_nothing(desktop: Desktop) -> None:
    ports = desktop.config.read_text()
    with service(desktop) as process:
        log_until(process, "is ready")
        said = reload(desktop, process, f"{ports}[sessions]\nmaks = 2\n", "the settings stay as they were")
        assert re.search(r"config\.toml: sessions\.maks: Extra inputs", said)
        assert "Traceback" not in said
        reload(desktop, process, ports, "changed: nothing")


async def test_settings_that_are_wrong_are_told_on_the_bus_until_they_are_mended(desktop: Desktop) -> None:
    right, wrong = desktop.config.read_text(), "[log]\nlevel = 'loud'\n"
    with service(desktop) as process:
        await asyncio.to_thread(log_until, process, "is ready")
        async with (
            await Monitor.connect(desktop.environment["DBUS_SESSION_BUS_ADDRESS"]) as reader,
            asyncio.timeout(60),
        ):
            await reader.subscribe()
            changes = reader.changes()

            async def told() -> str:
                async for signal in changes:
                    if "ConfigError" in (values := signal.values.get("changed_properties", {})):
                        return str(values["ConfigError"])
                raise AssertionError("the bus is gone")

            assert (await reader.properties())["ConfigError"] == ""
            await asyncio.to_thread(reload, desktop, process, right + wrong, "the settings stay as they were")
            assert "log.level: Input should be 'debug'" in await told()
            assert "log.level" in (await reader.properties())["ConfigError"]
            shown = await asyncio.to_thread(desktop.run, "status")
            assert "the settings stay as they were: " in shown.stdout
            desktop.config.write_text(right)  # and nobody has told the monitor yet
            doctor = json.loads((await asyncio.to_thread(desktop.run, "doctor", "--json")).stdout)
            found = {each["about"]: each for each in doctor["monitor"]["findings"]}
            refused = found["config.toml"]
            assert (refused["severity"], "log.level" in refused["what"]) == ("wrong", True)
            assert found["prices"]["what"].endswith(" old")
            await asyncio.to_thread(reload, desktop, process, right, "changed: nothing")
            assert await told() == ""


def test_a_tape_and_the_demo_show_the_monitor_its_token(desktop: Desktop) -> None:
    tape = str(next(TAPES.rglob("claude/2.1.330/streamjson.tape.jsonl.gz")))
    fast = ("--to", f"http://127.0.0.1:{desktop.http}", "--speed", "max")
    desktop.config.write_text(f"{desktop.config.read_text()}token = '0123456789abcdef'\n")
    with service(desktop) as process:
        log_until(process, "is ready")
        assert desktop.run("replay", tape, *fast).returncode == 0
        assert desktop.run("demo", *fast).returncode == 0
        nowhere = desktop.run("replay", tape, *fast, environment={"XDG_CONFIG_HOME": "/nowhere"})
        assert (nowhere.returncode, "requests were refused" in nowhere.stderr) == (1, True)


def test_what_needs_a_restart_is_named(desktop: Desktop) -> None:
    with service(desktop) as process:
        log_until(process, "is ready")
        reload(
            desktop, process, "[otlp]\nhttp_port = 0\nqueue = 7\n", "needs a restart: otlp.grpc_port, otlp.http_port"
        )
        assert desktop.get("/healthz")
