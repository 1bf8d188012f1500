"""The broker as systemd runs it: what it is there for, how it fails, and a service that goes without."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from subprocess import PIPE

import pytest

from aimond.commands import hook
from tests.e2e import bare
from tests.e2e.login import ROOT, UID, Login, possible, until
from tests.e2e.service import AIMOND, PYTHON, URL, pid, sessions, started
from tests.e2e.test_hardened_unit import FAKE_CLI
from tests.e2e.unit import BROKER, SERVICE

BROKER_SOCKET = BROKER.replace("service", "socket")


POSTS = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 4318)
connection.request("POST", "/v1/logs", "{}", {"Content-Type": "application/json"})
print(connection.getresponse().status)
"""


def test_in_its_namespace_it_tells_you_and_root_from_other_users(login: Login) -> None:
    """There, the kernel shows both of them as the same user."""
    started(login)
    post = ("/usr/bin/python3", "-c", POSTS)
    other = ("setpriv", f"--reuid={UID + 1}", f"--regid={UID + 1}", "--clear-groups")
    assert [login.run(*post), login.administer(*post), login.administer(*other, *post)] == ["200", "200", "403"]
    login.systemctl("stop", BROKER_SOCKET)
    assert [login.run(*post), login.administer(*post), login.administer(*other, *post)] == ["200", "403", "403"]
    login.systemctl("start", BROKER_SOCKET)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_broker_that_is_killed_or_stopped_is_soon_asked_again(login: Login, fault: signal.Signals) -> None:
    script = login.home / "@anthropic-ai/claude-code/cli.js"
    login.write(script, FAKE_CLI.read_text())
    started(login)
    login.kill(BROKER, fault)
    record = json.dumps({"event.name": "user_prompt", "session.id": "s"})
    with login.start(PYTHON, script, f"{URL}/v1/logs", hook.__file__, stdin=PIPE, stdout=PIPE) as cli:
        assert cli.stdin
        assert cli.stdout
        cli_pid = int(cli.stdout.readline())

        def found() -> bool:
            cli.stdin.write(f"{record}\n")
            cli.stdin.flush()
            assert cli.stdout.readline() == "done\n"
            return [session["Pid"] for session in sessions(login)] == [cli_pid]

        if fault == signal.SIGSTOP:
            assert not found()
            login.kill(BROKER, signal.SIGCONT)
        until(found, "the process")
        cli.stdin.close()


def doctors(login: Login) -> list[str]:
    """What doctor says of how processes are found."""
    return [line for line in login.run(*AIMOND, "doctor", check=False).splitlines() if " processes " in line]


def test_doctor_says_who_tells_of_processes_and_what_to_do_where_nobody_does(login: Login) -> None:
    started(login)
    (line,) = doctors(login)
    assert line.split()[:2] == ["ok", "processes"]
    assert f"{login.runtime}/aimond/broker" in line
    login.systemctl("stop", BROKER_SOCKET)
    (line,) = doctors(login)
    assert line.split()[:2] == ["wrong", "processes"]
    told = login.run(*AIMOND, "doctor", check=False)
    assert "systemctl --user restart aimond-broker.socket" in told
    login.systemctl("restart", "aimond-broker.socket")
    assert doctors(login)[0].split()[0] == "ok"


def test_where_a_user_may_have_no_namespaces_install_takes_them_back_and_says_so() -> None:
    """As under a kernel or a security module that forbids them: here, systemd has nowhere to put the mounts."""
    if why := possible():
        pytest.skip(why)
    with Login() as login:
        login.administer("rmdir", "/run/systemd/unit-root")
        said = login.run(PYTHON.with_name("aimond"), "install")
        assert "namespaces.conf: systemd may make no namespaces here" in said
        assert login.systemctl("is-active", SERVICE) == "active"
        process = login.seen(Path(f"/proc/{pid(login)}/status")).read_text()
        assert re.search(r"^NoNewPrivs:\s1$(?s:.*)^Seccomp:\s2$", process, re.MULTILINE)
        assert login.shows(BROKER, "ActiveState") == {"ActiveState": "inactive"}, "it may look for itself"
        assert doctors(login) == []
        login.run(PYTHON.with_name("aimond"), "install", "--remove")
        assert login.run("find", login.home / ".local/share/systemd", check=False).count("\n") == 0


# -- why it has a unit of its own ---------------------------------------------------------------------


def restrictions(name: str) -> list[str]:
    """The options of a unit that restrict it."""
    lines = (ROOT / "systemd" / name).read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(("PrivateUsers=", "DevicePolicy=")))
    return [line for line in lines[first:] if "=" in line and not line.startswith(("WantedBy", "Also"))]


SEES = "import os, sys; print(os.readlink(f'/proc/{sys.argv[1]}/exe'))"
SIGNS = {"/sleep": "sees", "PermissionError": "is blind"}


def with_options(login: Login, *options: str) -> str:
    """What a service with these options can tell of a process."""
    properties = (f"--property={option}" for option in options)
    run = ("systemd-run", "--user", "--wait", "--pipe", "--quiet", *properties)
    with login.start("sh", "-c", "echo $$; exec sleep 1000", stdout=subprocess.PIPE) as other:
        assert other.stdout
        process = other.stdout.readline().strip()
        told = login.run(*run, "/usr/bin/python3", "-c", SEES, process, check=False)
        login.run("sh", "-c", f"kill {process}")
    return next((what for sign, what in SIGNS.items() if sign in told), "does not start")


# By systemd 252 and by 257.
OUTCOMES = [
    ("NoNewPrivileges=yes", "sees", "sees"),
    ("DevicePolicy=closed", "sees", "sees"),
    ("ProtectProc=invisible", "sees", "sees"),
    ("PrivateUsers=yes", "is blind", "is blind"),
    ("ProtectHostname=yes", "sees", "is blind"),
    ("ProtectClock=yes", "does not start", "is blind"),
    ("CapabilityBoundingSet=", "does not start", "does not start"),
    ("ProtectKernelModules=yes", "does not start", "is blind"),
    ("ProtectSystem=full", "sees", "is blind"),
]


@pytest.mark.parametrize(("option", "outcome", "_newer"), OUTCOMES)
def test_what_the_broker_leaves_out_would_stop_or_blind_it(
    login: Login, option: str, outcome: str, _newer: str | None
) -> None:
    """Options that lower the exposure that ``systemd-analyze`` shows, under a real user's manager."""
    assert with_options(login, option) == outcome


def test_the_broker_sees_what_the_service_does_not(login: Login) -> None:
    assert with_options(login, *restrictions(BROKER)) == "sees"
    assert with_options(login, *restrictions(SERVICE)) == "is blind"


def test_a_newer_systemd_blinds_it_with_more_of_them_and_with_none_of_the_brokers() -> None:
    """257, of Debian 13."""
    with bare.system("trixie", "systemd", "dbus-user-session", "python3") as root, Login(root=root) as login:
        assert with_options(login, *restrictions(BROKER)) == "sees"
        assert with_options(login, *restrictions(SERVICE)) == "is blind"
        outcomes = {option: newer for option, _, newer in OUTCOMES}
        assert {option: with_options(login, option) for option in outcomes} == outcomes
