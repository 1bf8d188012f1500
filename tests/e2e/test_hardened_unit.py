"""The restrictions of the service: that it has them, and that under them it does what it does without.

What other tests show of a monitor of their own is shown of the service as systemd runs it, as an unprivileged user, in
a real Sway with mako, with tmux and foot."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from aimond.commands import hook
from tests.e2e.login import ROOT, UID, Login, until
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.service import PYTHON, URL, at_rest, config, installed, sessions, started, told
from tests.e2e.unit import BROKER, INSIDE, LOG, SERVICE

FAKE_CLI = ROOT / "tests" / "daemon" / "fake_cli.py"
CACHE = default_cache()
HERE = Path(__file__).parent
SCENES = [
    "test_telemetry_on_a_desktop.py",
    "test_sway.py",
    "test_notified_windows.py",
    "test_identity.py",  # the real CLIs
]
PYTEST = ("-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", f"--rootdir={ROOT}", "-q", "-rA", "--color=no")


@pytest.fixture(scope="module")
def desk() -> Iterator[Login]:
    assert all(install(cli, CACHE) for cli in CLIS.values()), "npm could not install the CLIs"  # inside is no network
    with installed(CACHE) as login:
        yield login


@pytest.fixture
def login(desk: Login) -> Login:
    return at_rest(desk)


@pytest.mark.parametrize("scenes", SCENES)
def test_under_its_restrictions_it_does_what_it_does_without(login: Login, scenes: str) -> None:
    cache = Path("/run/cache")  # not below /tmp, where some CLIs behave differently
    clis = f"mkdir -p {cache}/realcli; ln -sfn {CACHE}/*-* {cache}/realcli; chown -R {UID}:{UID} {cache}"
    login.administer("sh", "-c", clis)
    variables = (f"{INSIDE}=1", "CI=true", f"XDG_CACHE_HOME={cache}")
    command = ("env", *variables, PYTHON, *PYTEST, f"--basetemp={login.home}/tmp", HERE / scenes)
    status, told = login.tried(*command, within=500)
    log = login.home / LOG
    assert status == 0, f"{told}\n{log.read_text()[-4000:] if log.exists() else ''}"
    assert " passed" in told.splitlines()[-1]


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


UPSTREAM = """
import http.server

class Upstream(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        print(self.path, flush=True)

server = http.server.HTTPServer(("127.0.0.1", 14318), Upstream)
server.timeout = 30
server.handle_request()
"""


def test_under_its_restrictions_it_forwards_by_a_process_of_its_own(login: Login) -> None:
    settings = config(login).read_text()
    login.write(config(login), '[forward]\nendpoint = "http://127.0.0.1:14318"\n')
    try:
        with login.start("/usr/bin/python3", "-c", UPSTREAM, stdout=PIPE, stderr=subprocess.DEVNULL) as upstream:
            assert upstream.stdout
            started(login)
            told(login, event__name="user_prompt", session__id="s", prompt_length=2)
            assert upstream.stdout.readline() == "/v1/logs\n"
    finally:
        login.write(config(login), settings)


def unit(login: Login, name: str = SERVICE) -> Path:
    return login.home / ".local/share/systemd/user" / name


def test_systemd_has_nothing_to_say_against_the_units(login: Login) -> None:
    units = [unit(login, path.name) for path in sorted((ROOT / "systemd").iterdir())]
    told = login.run("systemd-analyze", "verify", "--user", "--man=no", *units)
    assert [line for line in told.splitlines() if "aimond" in line] == []


ANALYZE = ("systemd-analyze", "security", "--user", "--offline=true", "--no-pager")
MOST = 3.0


def test_its_exposure_is_what_the_documentation_says_and_no_more(login: Login) -> None:
    ours, the_brokers = re.findall(r"says (\d\.\d)", (ROOT / "docs/install.md").read_text())
    assert float(ours) <= MOST
    for name, figure in ((SERVICE, ours), (BROKER, the_brokers)):
        told = login.run(*ANALYZE, f"--threshold={float(figure) * 10:.0f}", unit(login, name))
        assert f"{name}: {figure} " in told
