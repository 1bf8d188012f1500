"""The service under a real ``systemd --user``, as ``aimond install`` makes it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimond.commands import hook
from tests.e2e.login import LIMIT, ROOT, Login, possible, until

PYTHON = Path(sys.executable)
AIMOND = (PYTHON, "-m", "aimond")
FAKE_CLI = ROOT / "tests" / "daemon" / "fake_cli.py"
URL = "http://127.0.0.1:4318"
SERVICE, SOCKET = "aimond.service", "aimond.socket"
STATE = ("get-property", "org.ai.Monitor", "/org/ai/Monitor", "org.ai.Monitor", "State")
# There is no journal in there; and a session of each record has room.
DROP_IN = "[Service]\nStandardError=append:%h/log\n"
SETTINGS = "[sessions]\nmax = 5000\n"
POST = (
    "import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], b'{\"resourceLogs\": []}',"
    " {'Content-Type': 'application/json'})).status)"
)


@pytest.fixture(scope="module")
def desk() -> Iterator[Login]:
    """A login where aimond is installed."""
    if why := possible():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    with Login() as login:
        login.write(login.home / ".config/systemd/user/aimond.service.d/test.conf", DROP_IN)
        login.write(config(login), SETTINGS)
        login.run(PYTHON.with_name("aimond"), "install")
        yield login


@pytest.fixture
def login(desk: Login) -> Login:
    """The same, with the service at rest and its socket open, as after a login."""
    desk.systemctl("stop", SERVICE)
    shutil.rmtree(desk.home / ".local" / "state", ignore_errors=True)  # what it remembers
    desk.systemctl("reset-failed", SERVICE)
    desk.systemctl("start", SOCKET)
    assert (desk.systemctl("is-active", SERVICE, check=False), desk.systemctl("is-active", SOCKET)) == (
        "inactive",
        "active",
    )
    return desk


def config(login: Login) -> Path:
    return login.home / ".config" / "aimond" / "config.toml"


def pid(login: Login) -> int:
    """Of the service, 0 if it does not run."""
    return int(login.shows(SERVICE, "MainPID")["MainPID"])


def is_ready(login: Login, *, but: int = 0) -> bool:
    shown = login.shows(SERVICE, "ActiveState", "MainPID")
    return shown["ActiveState"] == "active" and int(shown["MainPID"]) not in (0, but)


def started(login: Login) -> int:
    login.systemctl("start", SERVICE)
    return pid(login)


def state(login: Login) -> str:
    return login.run("busctl", "--user", *STATE)


def sessions(login: Login) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(login.run(*AIMOND, "status", "--json"))["sessions"]
    return found


def post(login: Login, url: str = URL) -> str:
    return login.run(PYTHON, "-c", POST, f"{url}/v1/logs")


def export(login: Login, protocol: str, count: int, seconds: float) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("exporting.py")
    return login.start(PYTHON, script, protocol, str(count), str(seconds), stdout=subprocess.PIPE)


# -- activation -------------------------------------------------------------------------------------


def test_a_call_on_the_bus_starts_it(login: Login, record_property: Any) -> None:
    began = time.monotonic()
    assert state(login) == 's "none"'
    took = time.monotonic() - began
    print(f"\na call on the bus was answered after {took:.2f} s")
    assert took < 3  # 0.5 s where nothing else runs
    until(lambda: is_ready(login), "ready")


@pytest.mark.parametrize("url", [URL, "http://[::1]:4318"])
def test_a_post_starts_it_and_is_answered(login: Login, url: str) -> None:
    assert post(login, url) == "200"
    until(lambda: is_ready(login), "ready")


def test_a_call_of_grpc_starts_it_and_is_answered(login: Login) -> None:
    with export(login, "grpc", 1, 0) as exporter:
        assert exporter.communicate(timeout=LIMIT)[0].strip() == "1"
    until(lambda: is_ready(login), "ready")
    assert [session["Id"] for session in sessions(login)] == ["grpc-0"]


def test_a_hook_starts_it_and_is_heard(login: Login) -> None:
    told = json.dumps({"hook_event_name": "UserPromptSubmit", "session_id": "h", "prompt": "Hi", "cwd": "/"})
    login.run(PYTHON, "-I", "-S", hook.__file__, "claude", input=told)
    until(lambda: is_ready(login), "ready")
    until(lambda: [session["State"] for session in sessions(login)] == ["working"], "the session")


# -- restarts ---------------------------------------------------------------------------------------


def test_killed_it_comes_back_with_its_sessions_and_answers(login: Login) -> None:
    with export(login, "http", 3, 0) as exporter:
        assert exporter.communicate(timeout=LIMIT)[0].strip() == "3"
    before, known = pid(login), {session["Id"] for session in sessions(login)}
    assert known == {"http-0", "http-1", "http-2"}
    kept = login.home / ".local/state/aimond/history.sqlite3"
    until(lambda: all(name in text(kept) for name in known), "history has them")
    login.kill(SERVICE, signal.SIGKILL)
    assert post(login) == "200"  # the socket never closed
    until(lambda: is_ready(login, but=before), "another process")
    assert {session["Id"] for session in sessions(login)} == known


def text(database: Path) -> str:
    """What is in the file and in its log, as far as it is text."""
    files = (database, database.with_name(f"{database.name}-wal"))
    return "".join(file.read_text(errors="ignore") for file in files if file.exists())


def test_the_watchdog_ends_a_loop_that_is_blocked(login: Login) -> None:
    drop_in = login.home / ".config/systemd/user/aimond.service.d/watchdog.conf"
    login.write(drop_in, "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
    login.systemctl("daemon-reload")
    try:
        before = started(login)
        until(lambda: login.shows(SERVICE, "WatchdogTimestampMonotonic").values() != {"0"}, "a ping")
        login.kill(SERVICE, signal.SIGSTOP)
        until(lambda: is_ready(login, but=before), "another process")
        first = login.shows(SERVICE, "WatchdogTimestampMonotonic")
        until(lambda: login.shows(SERVICE, "WatchdogTimestampMonotonic") != first, "the next ping")
        assert login.shows(SERVICE, "NRestarts", "MainPID") == {"NRestarts": "1", "MainPID": str(pid(login))}
        assert state(login) == 's "none"'
    finally:
        drop_in.unlink()
        login.systemctl("daemon-reload")


def test_stopped_it_leaves_in_good_order_and_its_sockets_stay(login: Login) -> None:
    started(login)
    login.systemctl("stop", SERVICE)
    assert login.shows(SERVICE, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    assert login.run("test", "-S", f"{login.runtime}/aimond/hook") == ""
    assert login.systemctl("is-active", SOCKET) == "active"


def test_nothing_sent_during_orderly_restarts_is_lost(login: Login, tmp_path: Path) -> None:
    """Each record is a session; a reader on the bus writes them down, and the SDK's exporters say what was taken."""
    count, seconds, restarts = 250, 4.0, 3
    match = "--match=type=signal,interface=org.ai.Monitor,member=SessionAdded"
    with (tmp_path / "seen").open("w") as seen:
        reader = login.start(
            "busctl", "--user", match, "--json=short", "monitor", stdout=seen, stderr=subprocess.DEVNULL
        )
    state(login)
    exporters = {name: export(login, name, count, seconds) for name in ("http", "grpc")}

    def told() -> set[str]:
        return set(re.findall(r"(?:http|grpc)-\d+", (tmp_path / "seen").read_text()))

    until(lambda: len(told()) > 20, "the first records")
    for _ in range(restarts):
        before, so_far = pid(login), len(told())
        login.systemctl("restart", SERVICE)
        assert is_ready(login, but=before)
        until(lambda so_far=so_far: len(told()) > so_far, "records after a restart")
    assert [process.poll() for process in exporters.values()] == [None, None], "it was restarted while they sent"
    assert {name: int(process.communicate(timeout=LIMIT)[0]) for name, process in exporters.items()} == dict.fromkeys(
        exporters, count
    )
    everything = {f"{name}-{number}" for name in exporters for number in range(count)}
    until(lambda: told() == everything, f"all records: {sorted(everything - told())} are missing")
    reader.kill()
    reader.wait()


# -- reload -----------------------------------------------------------------------------------------


def reload(login: Login, settings: str, says: str) -> None:
    login.write(config(login), settings)
    login.systemctl("reload", SERVICE)
    until(lambda: says in login.shows(SERVICE, "StatusText")["StatusText"], says)


def test_a_reload_takes_new_settings_and_keeps_every_session(login: Login) -> None:
    with export(login, "http", 3, 0) as exporter:
        assert exporter.communicate(timeout=LIMIT)[0].strip() == "3"
    before = pid(login)
    try:
        reload(login, "[sessions]\nmax = 4000\n[log]\nlevel = 'debug'\n", "changed: log.level, sessions.max")
        reload(login, "[sessions]\nmaximum = 1\n", "sessions.maximum: Extra inputs are not permitted")
        reload(login, SETTINGS + "[otlp]\nhttp_port = 4444\n", "needs a restart: otlp.http_port")
        assert post(login) == "200"
        assert len(sessions(login)) == 3
        assert (pid(login), login.systemctl("is-active", SERVICE)) == (before, "active")
    finally:
        login.write(config(login), SETTINGS)


# -- hardening --------------------------------------------------------------------------------------


def test_under_its_restrictions_it_finds_processes_terminals_and_their_ends(login: Login) -> None:
    """The peer of a connection (sock_diag, /proc), its directory, its tmux pane, hooks, and its exit (pidfd)."""
    script = login.home / "@anthropic-ai/claude-code/cli.js"
    login.write(script, FAKE_CLI.read_text())
    login.write(login.home / "work/.git", "gitdir: elsewhere\n")
    tmux = ("tmux", "-S", f"{login.home}/tmux")
    started(login)
    fake = f"cd work; exec {PYTHON} {script} {URL}/v1/logs {hook.__file__}"
    login.run(*tmux, "-f", "/dev/null", "new-session", "-d", "-s", "work", fake)
    hooked = {"hook_event_name": "PermissionRequest", "session_id": "s", "tool_name": "Bash"}
    for line in ({"event.name": "user_prompt", "session.id": "s"}, hooked):
        login.run(*tmux, "send-keys", json.dumps(line), "Enter")
    until(lambda: [session["State"] for session in sessions(login)] == ["waiting"], "the question")
    until(lambda: sessions(login)[0]["Terminal"] == "tmux:work:0.0", "the pane")
    (session,) = sessions(login)
    assert session["Pid"] == int(login.run(*tmux, "display-message", "-p", "#{pane_pid}"))
    assert (session["Directory"], session["Project"], session["Evidence"]) == (f"{login.home}/work", "work", "hook")
    login.run(*tmux, "kill-server")
    until(lambda: sessions(login) == [], "the exit")


def unit(login: Login, name: str = SERVICE) -> Path:
    return login.home / ".local/share/systemd/user" / name


def test_systemd_has_nothing_to_say_against_the_units(login: Login) -> None:
    told = login.run("systemd-analyze", "verify", "--user", "--man=no", unit(login), unit(login, SOCKET))
    assert [line for line in told.splitlines() if "aimond" in line] == []


# Of what systemd-analyze weighs, what a manager without privileges cannot apply: it makes no mounts, devices, networks
# and address filters, drops no capabilities, and has one user. See docs/install.md.
NOT_FOR_USERS = re.compile(
    "CapabilityBoundingSet_.*|(Private|Protect).*|ProcSubset|RootDirectoryOrRootImage|UserOrDynamicUser|DeviceAllow|IPAddressDeny"
)


def test_of_what_a_users_manager_can_apply_nearly_all_is_on(login: Login) -> None:
    analyze = ("systemd-analyze", "security", "--user", "--offline=true", "--no-pager")
    told = login.run(*analyze, "--json=short", unit(login))
    known = [each["json_field"] for each in json.loads(told[told.index("[") :])]
    policy = {name: {"weight": 0} for name in known if NOT_FOR_USERS.fullmatch(name)}
    login.write(login.home / "policy.json", json.dumps(policy))
    told = login.run(*analyze, "--threshold=30", f"--security-policy={login.home}/policy.json", unit(login))
    print(told.splitlines()[-1])


SEES = "import os, sys; print(os.readlink(f'/proc/{sys.argv[1]}/exe'))"


@pytest.mark.parametrize(
    ("option", "outcome"),
    [
        ("NoNewPrivileges=yes", "sees"),
        ("CapabilityBoundingSet=", "does not start"),
        ("ProtectKernelModules=yes", "does not start"),
        ("PrivateUsers=yes", "is blind"),
    ],
)
def test_what_the_unit_leaves_out_would_stop_or_blind_it(login: Login, option: str, outcome: str) -> None:
    """Options that lower the exposure that ``systemd-analyze`` shows, under a real user's manager."""
    run = ("systemd-run", "--user", "--wait", "--pipe", "--quiet", f"--property={option}")
    with login.start("sh", "-c", "echo $$; exec sleep 1000", stdout=subprocess.PIPE) as other:
        assert other.stdout
        process = other.stdout.readline().strip()
        told = login.run(*run, "/usr/bin/python3", "-c", SEES, process, check=False)
        login.run("kill", process)
    signs = {"/sleep": "sees", "PermissionError": "is blind"}
    assert next((what for sign, what in signs.items() if sign in told), "does not start") == outcome, told
