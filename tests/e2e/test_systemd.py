"""The service under a real ``systemd --user``, as ``aimond install`` makes it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from aimond.commands import hook
from tests.e2e.login import LIMIT, Login, until
from tests.e2e.service import (
    PYTHON,
    SETTINGS,
    SOCKET,
    URL,
    at_rest,
    call,
    config,
    export,
    is_ready,
    pid,
    post,
    sessions,
    shown,
    started,
    state,
    text,
    times,
    told,
    totals,
    used,
)
from tests.e2e.unit import LOG, SERVICE

# Imported by the service's Python before all else: SIGUSR1 blocks its loop.
BLOCKS = """import signal, time


def sleeps_for_ever(*_):
    while True:
        time.sleep(1000)


signal.signal(signal.SIGUSR1, sleeps_for_ever)
"""


# -- activation -------------------------------------------------------------------------------------


def test_a_call_on_the_bus_starts_it_in_less_than_a_second(login: Login) -> None:
    took = []
    for _ in range(5):  # the machine may be busy; 0.5 s where nothing else runs
        began = time.monotonic()
        assert state(login) == 's "none"'
        took.append(time.monotonic() - began)
        until(lambda: is_ready(login), "ready")
        if took[-1] < 1:
            break
        at_rest(login)
    print(f"\na call on the bus was answered after {took[-1]:.2f} s")
    assert min(took) < 1, took


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


def test_killed_it_comes_back_with_its_sessions_totals_and_answers(login: Login) -> None:
    for session, calls in (("one", 3), ("two", 1)):
        told(login, event__name="user_prompt", session__id=session, prompt_length=2)
        for number in range(calls):
            call(login, session, number)
    expected = {"one": times(3), "two": times(1)}
    until(lambda: (shown(login), used(login)) == (expected, expected), "all is counted, and kept")
    everything, before = totals(login), pid(login)
    assert everything == {
        "TokensToday": 4 * 3127,
        "CostToday": 1.0,
        "CostMonth": 1.0,
        "CostTodayBasis": "reported",
    }
    kept = login.home / ".local/state/aimond/history.sqlite3"
    until(lambda: all(name in text(kept) for name in expected), "history has them")
    login.kill(SERVICE, signal.SIGKILL)
    assert post(login) == "200"  # the socket never closed
    until(lambda: is_ready(login, but=before), "another process")
    assert (shown(login), used(login), totals(login)) == (expected, expected, everything)
    call(login, "one", 2)  # sent again, as by an exporter that has heard no answer
    call(login, "one", 3)
    expected["one"] = times(4)
    until(lambda: (shown(login), used(login)) == (expected, expected), "the new call is counted, and once")
    assert list(used(login, "day").values()) == [times(5)]


def test_the_watchdog_ends_a_loop_that_is_blocked_and_the_log_shows_where(login: Login) -> None:
    drop_in = login.home / f".config/systemd/user/{SERVICE}.d/watchdog.conf"
    login.write(login.home / "blocks/sitecustomize.py", BLOCKS)
    login.write(drop_in, "[Service]\nWatchdogSec=2\nTimeoutAbortSec=10\nEnvironment=PYTHONPATH=%h/blocks\n")
    login.systemctl("daemon-reload")
    try:
        before = started(login)
        told(login, event__name="user_prompt", session__id="one", prompt_length=2)
        call(login, "one", 1)
        until(lambda: used(login) == {"one": times(1)}, "it is kept")
        until(lambda: login.shows(SERVICE, "WatchdogTimestampMonotonic").values() != {"0"}, "a ping")
        login.kill(SERVICE, signal.SIGUSR1)
        until(lambda: is_ready(login, but=before), "another process")
        first = login.shows(SERVICE, "WatchdogTimestampMonotonic")
        until(lambda: login.shows(SERVICE, "WatchdogTimestampMonotonic") != first, "the next ping")
        assert login.shows(SERVICE, "NRestarts", "MainPID") == {"NRestarts": "1", "MainPID": str(pid(login))}
        assert (shown(login), used(login)) == ({"one": times(1)}, {"one": times(1)})
        log = (login.home / LOG).read_text()
        assert re.search(r"Fatal Python error: Aborted(?s:.*)in sleeps_for_ever", log), log[-3000:]
    finally:
        drop_in.unlink()
        login.systemctl("daemon-reload")


def test_stopped_it_saves_leaves_in_good_order_and_its_sockets_stay(login: Login) -> None:
    started(login)
    told(login, event__name="user_prompt", session__id="one", prompt_length=2)
    call(login, "one", 1)
    login.systemctl("stop", SERVICE)  # at once, before it has written that by itself
    assert login.shows(SERVICE, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    assert login.run("test", "-S", f"{login.runtime}/aimond/hook") == ""
    assert login.systemctl("is-active", SOCKET) == "active"
    state(login)  # asked, it is there again
    assert (shown(login), used(login)) == ({"one": times(1)}, {"one": times(1)})


def test_nothing_sent_during_orderly_restarts_is_lost(login: Login, tmp_path: Path) -> None:
    """Each record is a session; a reader on the bus writes them down, and the SDK's exporters say what was taken."""
    count, seconds, restarts = 250, 15.0, 3  # slow enough for a busy machine
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
