"""The pane of a process, asked of a real tmux; and servers that are gone, slow or hostile."""

from __future__ import annotations

import os
import pty
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimond.core.trail import Client
from aimond.process import proc, tmux
from aimond.process.tmux import Inside, Pane
from tests.process.living import Run, in_terminal, python, running, until

# tmux expands a name that it is given: after that, #( and % stand there.
EVIL = "evil \x1b]0;x\x07\té界\u202e##(touch {made}) %%H ##{{pane_id}} $1 "
LONG = 20.0  # seconds: more than a busy machine takes


class Server:
    """A tmux of its own, with one session of one pane."""

    def __init__(self, directory: Path, session: str) -> None:
        self.socket = directory / "a,b"
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        self.environment = environment
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-s", session, "read nothing")
        self._pid = int(self.run("display-message", "-p", "#{pid}"))

    def run(self, *words: str) -> str:
        command = ["tmux", "-u", "-S", str(self.socket), *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=5)
        return done.stdout.rstrip("\n")

    def pane(self, target: str = "") -> proc.Process:
        """The process in a pane, once it is more than a copy of the server."""
        pid = int(self.run("display-message", "-p", "-t", target, "#{pane_pid}"))
        until(lambda: tmux.inherited(pid) is not None)
        found = proc.read(pid)
        assert found
        return found

    def end(self) -> None:
        """Its socket stays behind."""
        if proc.started(self._pid):
            self.run("kill-server")
            until(lambda: not proc.started(self._pid))


@pytest.fixture
def place() -> Iterator[Path]:
    # pytest's own directories are too long for the name of a socket
    with tempfile.TemporaryDirectory(prefix="tmux-") as directory:
        yield Path(directory)


@pytest.fixture
def server(place: Path) -> Iterator[Server]:
    server = Server(place, "work")
    yield server
    server.end()


def test_a_pane_is_found_by_the_process_in_it(server: Server, run: Run) -> None:
    process = server.pane()
    where = tmux.inherited(process.pid)
    assert where == Inside(str(server.socket), "%0")
    pane = run(tmux.find(where, process.tty))
    assert pane == Pane(socket=str(server.socket), id="%0", session="work", window=0, index=0, tty=process.tty)
    assert tmux.terminal(process.tty, pane) == "tmux:work:0.0"


def test_a_pane_is_told_where_it_is_now(server: Server, run: Run) -> None:
    process = server.pane("%0")
    where = tmux.inherited(process.pid)
    assert where
    server.run("split-window", "-b", "-t", "%0", "read nothing")
    server.run("new-session", "-d", "-s", "play", "read nothing")
    server.run("join-pane", "-d", "-s", "%0", "-t", "play")
    server.run("rename-session", "-t", "play", "fun")
    pane = run(tmux.find(where, process.tty))
    assert pane
    assert tmux.terminal(process.tty, pane) == "tmux:fun:0.1"


def test_a_terminal_that_was_started_in_tmux_is_not_in_the_pane(server: Server, run: Run) -> None:
    inherited = {"TMUX": f"{server.socket},1,0", "TMUX_PANE": "%0"}
    with in_terminal(python(""), env=inherited) as (process, name):
        where = tmux.inherited(process.pid)
        found = proc.read(process.pid)
        assert where
        assert found
        assert found.tty == name
        pane = run(tmux.find(where, found.tty))
        assert pane is None
        assert tmux.terminal(found.tty, pane) == name


def test_a_daemon_that_was_started_in_tmux_is_shown_nowhere(server: Server, run: Run) -> None:
    assert run(tmux.find(Inside(str(server.socket), "%0"), "")) is None
    assert tmux.terminal("", None) == ""


def test_a_pane_that_is_gone_is_no_pane(server: Server, run: Run) -> None:
    process = server.pane()
    assert run(tmux.find(Inside(str(server.socket), "%77"), process.tty)) is None


def test_a_server_that_is_gone_is_not_waited_for(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmux, "_SECONDS", LONG)
    process = server.pane()
    where = Inside(str(server.socket), "%0")
    server.end()
    begin = time.monotonic()
    assert run(tmux.find(where, process.tty)) is None
    assert run(tmux.find(Inside("/nowhere/tmux-0/default", "%0"), process.tty)) is None
    assert time.monotonic() - begin < LONG


def test_a_hostile_name_is_shown_as_harmless_text(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # The daemon may have no locale; the name is the user's all the same.
    monkeypatch.setenv("LC_ALL", "C")
    made = place / "made"
    server = Server(place, "first")
    try:
        server.run("rename-session", "-t", "first", EVIL.format(made=made) + "x" * 200)
        process = server.pane("%0")
        pane = run(tmux.find(Inside(str(server.socket), "%0"), process.tty))
        assert pane
        assert pane.session.startswith("evil ")
        assert "é界#(touch " in pane.session
        assert pane.session.isprintable()
        assert len(pane.session) <= 64
        assert (pane.window, pane.index) == (0, 0)
        assert not made.exists()
    finally:
        server.end()


def test_nothing_runs_without_a_socket_of_ours(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    called = fake(place, monkeypatch, "touch called")
    (place / "file").touch()
    for socket in ("file", "missing"):
        assert run(tmux.find(Inside(str(place / socket), "%0"), "/dev/pts/1")) is None
    assert not called.exists()


def fake(place: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Another program called tmux; what a script says that it has ``called``."""
    program = place / "bin" / "tmux"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncd {place}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return place / "called"


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "echo",
        "echo ' '",
        "echo '/dev/pts/1   x'",
        "echo '/dev/pts/1 1 x y'",
        "echo '/dev/pts/1 0x1 1 y'",
        "printf '\\377\\376 \\000 \\n'",
        "echo '/dev/pts/1 1'",
    ],
)
def test_an_answer_that_is_none_is_no_pane(
    server: Server, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake(place, monkeypatch, script)
    assert run(tmux.find(Inside(str(server.socket), "%0"), "/dev/pts/1")) is None
    monkeypatch.undo()


def test_a_server_that_does_not_answer_is_left_after_a_second(
    server: Server, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tmux, "_SECONDS", 0.2)
    fake(place, monkeypatch, "exec sleep 60")
    begin = time.monotonic()
    assert run(tmux.find(Inside(str(server.socket), "%0"), "/dev/pts/1")) is None
    assert 0.2 <= time.monotonic() - begin < LONG
    monkeypatch.undo()


def test_a_server_that_does_not_end_is_cut(
    server: Server, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tmux, "_SECONDS", LONG)
    fake(place, monkeypatch, "printf '/dev/pts/1 2 3 '; exec yes long")
    begin = time.monotonic()
    pane = run(tmux.find(Inside(str(server.socket), "%0"), "/dev/pts/1"))
    assert pane
    assert (pane.window, pane.index, len(pane.session)) == (2, 3, 64)
    assert time.monotonic() - begin < LONG
    monkeypatch.undo()


def test_without_tmux_there_are_no_panes(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    process = server.pane()
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(tmux.find(Inside(str(server.socket), "%0"), process.tty)) is None
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("value", "pane", "found"),
    [
        ("/tmp/tmux-1000/default,1234,0", "%5", Inside("/tmp/tmux-1000/default", "%5")),
        ("/tmp/a,b,1,2", "%0", Inside("/tmp/a,b", "%0")),
        ("/tmp/bare", "%0", Inside("/tmp/bare", "%0")),
        ("", "%0", None),
        ("relative,1,2", "%0", None),
        ("/tmp/default,1,2", "", None),
        ("/tmp/default,1,2", "5", None),
        ("/tmp/default,1,2", "%", None),
        ("/tmp/default,1,2", "%5\n", None),
        ("/tmp/default,1,2", "%-1", None),
        ("/tmp/default,1,2", "work:1.0", None),
        ("/tmp/default,1,2", "%12345678901", None),
        ("/" + "x" * 200 + ",1,2", "%0", None),
    ],
)
def test_only_what_tmux_writes_is_believed(value: str, pane: str, found: Inside | None) -> None:
    assert tmux.inside(value, pane) == found


def test_a_socket_with_a_nul_is_no_socket(run: Run) -> None:
    assert run(tmux.find(Inside("/tmp/\0", "%0"), "/dev/pts/1")) is None


@pytest.mark.parametrize("extra", [{}, {f"VARIABLE_{i}": "x" * 1000 for i in range(1500)}, {"LONG": "x" * 131_000}])
def test_the_environment_is_read_however_large_it_is(extra: dict[str, str]) -> None:
    decoys = {"TMUX_TMPDIR": "/wrong", "MY_TMUX": "/wrong,1,1", "MULTI": "line\nTMUX=/wrong,1,1\nTMUX_PANE=%9"}
    environment = {**decoys, **extra, "TMUX": "/tmp/s,1,2", "TMUX_PANE": "%3"}
    with running(python(""), env=environment) as process:
        assert tmux.inherited(process.pid) == Inside("/tmp/s", "%3")


def test_who_is_not_in_tmux_inherits_nothing() -> None:
    with running(python(""), env={}) as process:
        assert tmux.inherited(process.pid) is None
    assert tmux.inherited(process.pid) is None


# -- the terminals that show a pane -----------------------------------------------------------------


def attached(server: Server, session: str) -> tuple[subprocess.Popen[bytes], int]:
    """A tmux client in a terminal of its own, and the other end of that."""
    main, terminal = pty.openpty()
    command = ["tmux", "-S", str(server.socket), "attach", "-t", session]
    environment = {**server.environment, "TERM": "xterm"}
    client = subprocess.Popen(command, env=environment, stdin=terminal, stdout=terminal, start_new_session=True)
    os.close(terminal)
    until(lambda: str(client.pid) in server.run("list-clients", "-F", "#{client_pid}").split())
    return client, main


def test_a_pane_is_shown_by_a_terminal_and_can_be_by_another(server: Server, run: Run) -> None:
    process = server.pane("%0")
    where = tmux.inherited(process.pid)
    assert where
    assert run(tmux.clients(where, process.tty)) == []
    assert run(tmux.clients(where, "/dev/pts/9999")) is None
    server.run("new-session", "-d", "-s", "play", "read nothing")
    (far, far_end), (near, near_end) = attached(server, "play"), attached(server, "work")
    try:
        told = run(tmux.clients(where, process.tty))
        assert [(client.pid, client.shows) for client in told] == [(near.pid, True), (far.pid, False)]
        server.run("split-window", "-t", "work:", "read nothing")
        server.run("new-window", "-t", "work:", "read nothing")
        told = run(tmux.clients(where, process.tty))
        assert [(client.pid, client.shows) for client in told] == [(near.pid, False), (far.pid, False)]
        for client in told:
            assert run(tmux.show(where, client))
        assert [client.shows for client in run(tmux.clients(where, process.tty))] == [True, True]
    finally:
        for client, end in ((far, far_end), (near, near_end)):
            client.kill()
            client.wait()
            os.close(end)


def test_a_terminal_that_has_left_shows_nothing(server: Server, run: Run) -> None:
    where = tmux.inherited(server.pane("%0").pid)
    assert where
    assert not run(tmux.show(where, Client(pid=1, tty="/dev/pts/9999", shows=False)))
