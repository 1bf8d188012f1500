"""``aimond doctor`` about the monitor: is it there, does it listen, and if not, what can be seen without it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Home, Place

from aimond.__main__ import main
from aimond.otlp.ports import listen

Make = Callable[[Place], Home]


def test_with_nothing_installed_there_is_nothing_wrong(home: Home) -> None:
    said = home.doctor()
    assert (said.status, said.todo) == (0, [])
    for name in ("claude", "codex", "gemini"):
        assert said.of(name, "note")[0] == "installed: not installed, and not set up"
    monitor = said.report["monitor"]
    assert (monitor["running"], monitor["listens"]) == (True, True)
    assert [(port["protocol"], port["holder"]) for port in monitor["ports"]] == [("HTTP", "aimond"), ("gRPC", "aimond")]


def test_without_a_monitor_it_says_how_to_start_it_and_goes_on(at: Make, quiet_bus: Place) -> None:
    home = at(quiet_bus)
    home.install("claude")
    home.setup("claude")
    said = home.doctor("claude")
    assert said.status == 1
    assert said.wrong("monitor") == ["monitor: aimond is not running"]
    assert said.todo == ["start the monitor with `systemctl --user start aimond`, or `aimond run` in a terminal"]
    assert (said.cli("claude")["version"], said.cli("claude")["arrives"]) == ("2.1.330", True)
    assert said.wrong("claude") == []


def test_without_a_bus_it_says_so(at: Make, quiet_bus: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home = at(quiet_bus)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={home.path}/none")
    assert "no session bus" in home.doctor().wrong("monitor")[0]


@pytest.mark.parametrize(("port", "protocol"), [("http", "HTTP"), ("grpc", "gRPC")])
def test_a_port_that_another_program_holds_is_named(at: Make, quiet_bus: Place, port: str, protocol: str) -> None:
    home = at(quiet_bus)
    number = getattr(quiet_bus, port)
    command = [sys.executable, "-c", ANYBODY, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        said = home.doctor()
        other.kill()
    (what,) = [each for each in said.wrong("monitor") if each.startswith("listens")]
    assert what.startswith(f"listens: {protocol} port {number} is held by ")
    assert f"(pid {other.pid})" in what
    assert f"`{port}_port`" in said.todo[1]


ANYBODY = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    print(flush=True)
    while True:
        server.accept()[0].send(b"220 hello\\r\\n")
"""


def test_a_monitor_on_another_bus_is_told_apart(at: Make, quiet_bus: Place, monitor: Place) -> None:
    home = at(quiet_bus)
    home.write(".config/aimond/config.toml", monitor.config)
    http, grpc = [each for each in home.doctor().wrong("monitor") if each.startswith("listens")]
    assert http.startswith(f"listens: HTTP port {monitor.http} is held by an aimond on another bus")
    assert grpc.startswith(f"listens: gRPC port {monitor.grpc} is held by an aimond on another bus")


def test_a_monitor_that_has_not_read_the_configuration_is_to_be_restarted(home: Home) -> None:
    (free,) = listen(("127.0.0.1",), 0)
    port = free.getsockname()[1]
    free.close()
    home.write(".config/aimond/config.toml", home.place.config.replace(str(home.place.http), str(port)))
    said = home.doctor()
    assert said.wrong("monitor") == [f"listens: nobody listens at HTTP port {port}, which config.toml names"]
    assert said.todo == ["restart the monitor: it was started with other settings"]


@pytest.mark.parametrize("text", ["[otlp\n", "[otlp]\nhtp_port = 1\n"])
def test_a_wrong_configuration_is_a_finding(at: Make, quiet_bus: Place, text: str) -> None:
    home = at(quiet_bus)
    home.write(".config/aimond/config.toml", text)
    said = home.doctor()
    assert said.status == 1
    assert "config.toml" in said.wrong("monitor")[0]
    assert "docs/config.md" in said.todo[0]


def test_hooks_that_nobody_listens_to_are_wrong_where_there_are_some(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert home.doctor("claude").status == 0
    home.install("claude")
    home.setup("claude")
    said = home.doctor("claude")
    assert said.wrong("monitor") == [f"hook socket: nobody listens at {tmp_path}/aimond/hook"]
    assert "restart the monitor" in said.todo[0]


def test_hooks_that_config_toml_switches_off_are_told(home: Home) -> None:
    home.write(".config/aimond/config.toml", f"{home.place.config}[hooks]\nsocket = false\n")
    assert "hooks.socket is false" in home.doctor().of("monitor", "note")[0]


# -- what it prints -----------------------------------------------------------------------------------


def test_people_get_a_table_and_a_list(home: Home) -> None:
    home.install("claude")
    printed = home.print("claude").splitlines()
    assert printed[0] == "aimond"
    assert "Claude Code" in printed
    assert any(line.startswith("  ok     installed       ") and line.endswith("claude, 2.1.330") for line in printed)
    assert printed[-2:] == ["To do", "  1. aimond setup claude"]
    assert "\x1b" not in "".join(printed)


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(home: Home, more: dict[str, str], coloured: bool) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "aimond", "doctor", "claude"]
    environment = {**os.environ, **more, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, stdout=follower, stderr=subprocess.DEVNULL, timeout=20, check=False)
    os.close(follower)
    assert done.returncode == 0
    assert (b"\x1b[32m" in os.read(leader, 65536)) is coloured
    os.close(leader)


def test_unknown_clis_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "vim"])
    assert ended.value.code == 2
    assert "vim" in capsys.readouterr().err


def test_the_object_has_the_same_keys_for_every_cli(home: Home) -> None:
    home.install("codex")
    home.setup("codex")
    report = home.doctor().report
    assert set(report) == {"monitor", "clis", "todo"}
    assert list(report["clis"]) == ["claude", "codex", "gemini"]
    for cli in report["clis"].values():
        assert set(cli) == KEYS
        assert set(cli["hooks"]) == {"installed", "missing", "untrusted", "programs", "heard", "last"}
        assert all(set(each) == {"severity", "about", "what", "todo"} for each in cli["findings"])


KEYS = {
    *("installed", "version", "configured", "endpoint", "protocol", "arrives", "set_by", "hooks", "last_record"),
    *("records", "unknown_events", "processes", "findings"),
}
