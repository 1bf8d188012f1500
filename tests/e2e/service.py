"""The service as ``aimond install`` makes it, in a login of its own, and what is asked of it there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.login import Login, possible
from tests.e2e.unit import BROKER, DROP_IN, SERVICE

PYTHON = Path(sys.executable)
AIMOND = (PYTHON, "-m", "aimond")
SOCKET = "aimond.socket"
URL = "http://127.0.0.1:4318"
STATE = ("get-property", "org.ai.Monitor", "/org/ai/Monitor", "org.ai.Monitor", "State")
SETTINGS = "[sessions]\nmax = 5000\n"
POST = (
    "import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode(),"
    " {'Content-Type': 'application/json'})).status)"
)
NOW = time.time_ns()
Row = dict[str, Any]
# What one call uses, as ``aimond usage`` and as a session tell it.
CALL: Row = {
    "calls": 1,
    "input_tokens": 100,
    "cache_read_tokens": 3000,
    "cache_write_tokens": 7,
    "output_tokens": 20,
    "cost": 0.25,
}
SHOWN = ("ModelCalls", "InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens", "Cost")


@contextmanager
def installed(*readable: Path) -> Iterator[Login]:
    """A login where aimond is installed."""
    if why := possible():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    with Login(*readable) as login:
        for service in (SERVICE, BROKER):
            login.write(login.home / f".config/systemd/user/{service}.d/test.conf", DROP_IN)
        login.write(config(login), SETTINGS)
        login.run(PYTHON.with_name("aimond"), "install")
        yield login


def at_rest(login: Login) -> Login:
    """The service is, and its socket is open, as after a login."""
    login.systemctl("stop", SERVICE)
    shutil.rmtree(login.home / ".local" / "state", ignore_errors=True)  # what it remembers
    login.systemctl("reset-failed", SERVICE)
    login.systemctl("start", SOCKET)
    states = (login.systemctl("is-active", SERVICE, check=False), login.systemctl("is-active", SOCKET))
    assert states == ("inactive", "active")
    return login


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


def post(login: Login, url: str = URL, body: str = '{"resourceLogs": []}') -> str:
    return login.run(PYTHON, "-c", POST, f"{url}/v1/logs", body)


def told(login: Login, at: int = 0, **record: str | int | float) -> None:
    """A log record of Claude Code's, of now or of ``at`` (ns since the epoch); it is answered before this returns."""
    pairs = [{"key": key.replace("__", "."), "value": {"stringValue": str(value)}} for key, value in record.items()]
    log = {"timeUnixNano": str(at or time.time_ns()), "attributes": pairs}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [log]}
    assert post(login, body=json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]})) == "200"


def used(login: Login, by: str = "session") -> dict[str, Row]:
    """What was used today, by the words of ``aimond usage``."""
    rows = json.loads(login.run(*AIMOND, "usage", "today", "--by", by, "--json"))["rows"]
    return {row["group"]: {name: row[name] for name in CALL} for row in rows}


def totals(login: Login) -> Row:
    """Today's, by the word of the bus."""
    shown = json.loads(login.run(*AIMOND, "status", "--json"))["monitor"]
    return {name: shown[name] for name in ("TokensToday", "CostToday", "CostMonth", "CostTodayBasis")}


def export(login: Login, protocol: str, count: int, seconds: float) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("exporting.py")
    return login.start(PYTHON, script, protocol, str(count), str(seconds), stdout=subprocess.PIPE)


def call(login: Login, session: str, number: int) -> None:
    """A model call of that session; the same number again is the same record again."""
    names = {"cache_write_tokens": "cache_creation_tokens", "cost": "cost_usd"}
    used = {names.get(name, name): value for name, value in CALL.items() if name != "calls"}
    of = {
        "event__name": "api_request",
        "session__id": session,
        "request_id": f"req-{number}",
        "model": "claude-opus-4-1",
    }
    told(login, NOW + number, **of, query_source="repl_main_thread", **used)


def times(count: int) -> Row:
    """What so many calls use."""
    return {name: value * count for name, value in CALL.items()}


def shown(login: Login) -> dict[str, Row]:
    """What sessions have used, by id, by the word of the bus."""
    names = dict(zip(SHOWN, CALL, strict=True))
    return {session["Id"]: {names[name]: session[name] for name in names} for session in sessions(login)}


def text(database: Path) -> str:
    """What is in the file and in its log, as far as it is text."""
    files = (database, database.with_name(f"{database.name}-wal"))
    return "".join(file.read_text(errors="ignore") for file in files if file.exists())
