"""``aimond hook`` as the CLIs run it: what it delivers, what it prints, and that it never fails them."""

from __future__ import annotations

import asyncio
import builtins
import fcntl
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aimond.commands import hook as program
from tests.hooks.desk import ALONE, BARE, COMMAND, ROOT, SOON, STOP, Desk, Ran, Told

NAMES = [
    ("claude", "claude-code"),
    ("claude-code", "claude-code"),
    ("codex", "codex"),
    ("gemini", "gemini-cli"),
    ("gemini-cli", "gemini-cli"),
    ("parrot", "parrot"),
]
NOTIFY = {"type": "agent-turn-complete", "thread-id": "t", "turn-id": "0", "input-messages": ["ü \ud83e"], "cwd": "/"}
ways = pytest.mark.parametrize("how", [ALONE, COMMAND], ids=["alone", "command"])


def fine(ran: Ran, output: bytes = b"") -> bool:
    return (ran.status, ran.output, ran.errors) == (0, output, b"") and ran.seconds < SOON


def start() -> int:
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


# -- what is delivered ------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize(("word", "agent"), NAMES)
async def test_what_a_cli_gives_its_hook_is_delivered(
    desk: Desk, told: Told, how: list[str], word: str, agent: str
) -> None:
    payload = STOP | {"odd": ['"', "\\", "é\n\x00", None, 1.5, {"a": []}]}
    assert fine(await desk.runs(word, given=payload, how=how), b"{}\n" if agent == "gemini-cli" else b"")
    await told.until(1)
    assert (told.hook.agent, told.hook.via, told.hook.event, told.hook.fields) == (agent, "hook", "Stop", payload)


@ways
async def test_codex_gives_its_notify_program_an_argument(desk: Desk, told: Told, how: list[str]) -> None:
    assert fine(await desk.runs("codex", json.dumps(NOTIFY), how=how, streams={"stdin": subprocess.DEVNULL}))
    await told.until(1)
    assert (told.hook.agent, told.hook.via, told.hook.event) == ("codex", "notify", "agent-turn-complete")
    assert told.hook.fields == NOTIFY


async def test_with_an_argument_nobody_waits_for_stdin(desk: Desk, told: Told) -> None:
    hook = desk.start("codex", json.dumps(NOTIFY))
    assert await asyncio.to_thread(hook.wait, 10) == 0
    hook.communicate()
    await told.until(1)
    assert told.hook.via == "notify"


@pytest.mark.parametrize("apart", ["", "setsid"], ids=["in its terminal", "in a session of its own"])
async def test_it_says_where_it_ran(desk: Desk, told: Told, apart: str) -> None:
    desk.environment |= {"TMUX": '/tmp/tm"ux\\-0/default,12,0', "TMUX_PANE": "%7"}
    before = time.time_ns() // 1000
    main, terminal = pty.openpty()

    def own_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    try:
        shell = ["sh", "-c", f'echo $$ >&2; {apart} "$@"; exit 0', "sh", *ALONE]
        cli = {"how": shell, "start_new_session": True, "preexec_fn": own_terminal, "pass_fds": [terminal]}
        ran = await desk.runs("claude", given=STOP, **cli)
        name = os.ttyname(terminal)
    finally:
        os.close(main)
        os.close(terminal)
    await told.until(1)
    context = told.hook.context
    parent = int(ran.errors)
    assert (context.ppid, context.tty) == (parent, name)
    assert (context.tmux, context.tmux_pane) == (desk.environment["TMUX"], "%7")
    assert context.ancestors[0][0] == parent
    assert context.ancestors[1] == (os.getpid(), start())
    assert context.pid not in (0, parent)
    assert before <= told.hook.at <= told.hook.seen <= time.time_ns() // 1000


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0x8800, "/dev/pts/0"),
        (0x88FF, "/dev/pts/255"),
        (0x108801, "/dev/pts/257"),
        (0x8902, "/dev/pts/258"),
        (0x0401, "/dev/tty1"),
        (0x0440, ""),
        (0x0500, ""),
        (0, ""),
    ],
)
def test_a_terminal_has_its_name_from_its_number(number: int, name: str) -> None:
    assert program._terminal(number) == name


def test_where_there_is_no_proc_it_knows_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(builtins, "open", nothing)
    told = json.loads(program._context(7))
    assert (told["at"], told["pid"], told["ppid"]) == (7, os.getpid(), os.getppid())
    assert (told["ancestors"], told["tty"]) == ([], "")


def test_the_place_is_in_the_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/x")
    assert program.place() == "/run/x/aimond/hook"
    for nowhere in ("", "relative"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", nowhere)
        assert program.place() == f"/run/user/{os.getuid()}/aimond/hook"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert program.place() == f"/run/user/{os.getuid()}/aimond/hook"


# -- large payloads ---------------------------------------------------------------------------------


async def test_of_ten_megabytes_what_matters_is_delivered(desk: Desk, told: Told) -> None:
    sent = {
        "session_id": "s",
        "cwd": "/" + "d" * 4000,
        "hook_event_name": "PostToolUse",
        "tool_input": {"command": "é" * 50_000},
        "tool_response": {"stdout": "a, [b], {c}\n" * 50_000 + "x" * 10_000_000, "lines": list(range(1000))},
        "tool_use_id": "c",
        "duration_ms": 7,
        "background_tasks": [{"id": "a", "type": "subagent", "status": "running"}],
    }
    for attempt in range(1, 11):  # a busy machine may not get as much through in time
        assert fine(await desk.runs("claude", given=sent))
        await told.until(attempt)
        if told.hooks:
            break
    got = told.hook.fields
    kept = ("session_id", "cwd", "tool_use_id", "duration_ms", "background_tasks")
    assert {name: got[name] for name in kept} == {name: sent[name] for name in kept}
    assert got["tool_response"]["lines"] == list(range(32))
    assert len(json.dumps(got)) < 64 * 1024


async def test_a_large_argument_is_cut_too(desk: Desk, told: Told) -> None:
    assert fine(await desk.runs("codex", json.dumps(NOTIFY | {"last-assistant-message": "x" * 100_000})))
    await told.until(1)
    assert told.hook.fields["thread-id"] == "t"


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"hook_event_name":"Stop","a":[' + b",".join([b'{"a":{}}'] * 400_000) + b"]}",
        b'{"a":[' + b",".join([b'{"a":{}}'] * 120_000) + b"]}",
        b'{"a":"' + b"\\u0000" * 2_000_000 + b'"}',
        b'{"a":' + b"9" * 100_000 + b"}",
        json.dumps({str(i): "x" * 5000 for i in range(100)}).encode(),
        b"x" * 40_000_000,
    ],
    ids=["deep", "deeper", "too many", "many", "escapes", "number", "still large", "40 MB"],
)
async def test_what_is_large_and_odd_takes_no_longer(desk: Desk, told: Told, payload: bytes) -> None:
    assert fine(await desk.runs("gemini", given=payload), b"{}\n")
    await told.until(1)
    assert told.hooks == []


# -- it never fails ---------------------------------------------------------------------------------

ODD = [
    b"",
    b" \n",
    b"x",
    b"null",
    b"[]",
    b"{",
    b'{"a":1}}',
    b"\xff\xfe",
    b'{"a":"\xff"}',
    b"\x00",
    b"NaN",
    b'"\\ud800"',
]


@pytest.mark.parametrize("payload", ODD)
async def test_an_odd_payload_is_counted(desk: Desk, told: Told, payload: bytes) -> None:
    assert fine(await desk.runs("claude", given=payload))
    await told.until(1)
    assert (told.hooks, sum(told.dropped.values())) == ([], 1)


@ways
@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "PermissionRequest", "PreToolUse", "Stop"])
def test_without_a_monitor_it_has_no_opinion_either(desk: Desk, how: list[str], event: str) -> None:
    for agent, output in (("claude", b""), ("codex", b""), ("gemini", b"{}\n")):
        assert fine(desk.run(agent, given=STOP | {"hook_event_name": event}, how=how), output)


def test_a_dead_monitors_socket_is_no_error(desk: Desk) -> None:
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(desk.socket))
    assert fine(desk.run("gemini", given=STOP), b"{}\n")


@ways
@pytest.mark.parametrize(
    "environment", [{}, {"XDG_RUNTIME_DIR": "/nowhere"}, {"XDG_RUNTIME_DIR": "x" * 200}, {"XDG_RUNTIME_DIR": "/" * 200}]
)
def test_any_environment_will_do(desk: Desk, how: list[str], environment: dict[str, str]) -> None:
    desk.environment = environment
    assert fine(desk.run("gemini", given=STOP, how=how), b"{}\n")


@ways
@pytest.mark.parametrize("words", [[], [""], ["-x"], ["\udcff"], ["claude", ""], ["claude", "a", "b"]])
def test_any_words_will_do(desk: Desk, how: list[str], words: list[str]) -> None:
    assert fine(desk.run(*words, how=how))


def test_help_is_told_all_the_same(desk: Desk) -> None:
    ran = desk.run("--help", how=COMMAND)
    assert (ran.status, ran.errors) == (0, b"")
    assert b"aimond hook" in ran.output


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", ">/dev/full"])
async def test_closed_streams_are_no_error(desk: Desk, told: Told, closed: str) -> None:
    ran = await desk.runs("gemini", given=STOP, how=["sh", "-c", f'"$@" {closed}', "sh", *ALONE])
    assert (ran.status, ran.errors) == (0, b"")
    assert ran.seconds < SOON
    await told.until(1)
    assert told.counts["no_payload" if "<" in closed else "delivered"] == 1


async def test_nobody_reading_is_no_error(desk: Desk, told: Told) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = await desk.runs("gemini", given=STOP, streams={"stdout": writing})
    os.close(writing)
    assert (ran.status, ran.errors) == (0, b"")
    await told.until(1)
    assert told.hook.event == "Stop"


def test_a_full_pipe_is_not_waited_for(desk: Desk) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    ran = desk.run("gemini", given=STOP, streams={"stdout": writing})
    assert (ran.status, ran.errors) == (0, b"")
    assert ran.seconds < SOON
    os.close(reading)
    os.close(writing)


async def test_stdin_that_never_ends_is_left(desk: Desk, told: Told) -> None:
    began = time.monotonic()
    hook = desk.start("claude")
    assert hook.stdin
    hook.stdin.write(b'{"session_id": "s", ')
    hook.stdin.flush()
    assert await asyncio.to_thread(hook.wait, 10) == 0
    assert time.monotonic() - began < SOON
    hook.communicate()
    await told.until(1)
    assert told.dropped == {"not_json": 1}


def test_stdin_without_an_end_is_left(desk: Desk) -> None:
    with Path("/dev/zero").open("rb") as endless:
        assert fine(desk.run("claude", streams={"stdin": endless}))


def test_a_terminal_is_not_read(desk: Desk) -> None:
    """What a user types meanwhile is for the CLI."""
    main, terminal = pty.openpty()
    os.write(main, b"typed\n")
    assert fine(desk.run("claude", streams={"stdin": terminal}))
    os.set_blocking(terminal, False)
    assert os.read(terminal, 100) == b"typed\n"
    os.close(main)
    os.close(terminal)


def test_an_interrupted_hook_ends_in_good_order(desk: Desk) -> None:
    hook = desk.start("gemini")
    assert hook.stdout
    assert hook.stdout.read(3) == b"{}\n"
    hook.send_signal(signal.SIGINT)
    assert hook.communicate(timeout=10) == (b"", b"")
    assert hook.returncode == 0


# -- monitors that hang -----------------------------------------------------------------------------

MONITOR = """
import asyncio, sys, uvloop
from pathlib import Path
from aimond.hooks.listen import listening
from aimond.hooks.receive import receiving
async def serve():
    with listening(Path(sys.argv[1])) as listener:
        async with receiving(lambda hook: print(hook.event, len(hook.fields["x"]), hook.context.ppid), listener):
            print("ready")
            await asyncio.sleep(60)
uvloop.run(serve())
"""


def test_what_is_said_to_a_monitor_that_hangs_is_heard_when_it_goes_on(desk: Desk) -> None:
    command = [sys.executable, "-u", "-c", MONITOR, str(desk.socket)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as monitor:
        try:
            assert monitor.stdout
            assert monitor.stdout.readline() == "ready\n"
            monitor.send_signal(signal.SIGSTOP)
            for size in (10, 60_000, 200_000):
                assert fine(desk.run("claude", given=STOP | {"x": "x" * size}))
            monitor.send_signal(signal.SIGCONT)
            heard = sorted(monitor.stdout.readline().strip() for _ in range(3))
            assert heard == sorted(f"Stop {size} {os.getpid()}" for size in (10, 60_000, program.TEXT))
        finally:
            monitor.kill()


def full(listener: socket.socket, path: Path) -> list[socket.socket]:
    """Connections until no more wait."""
    waiting = []
    while True:
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].setblocking(False)
        try:
            waiting[-1].connect(str(path))
        except BlockingIOError:
            return waiting


def test_a_full_backlog_is_given_up_soon(desk: Desk) -> None:
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(desk.socket))
        listener.listen(2)
        waiting = full(listener, desk.socket)
        assert fine(desk.run("gemini", given=STOP), b"{}\n")
        for each in waiting:
            each.close()


def test_room_in_the_backlog_is_used_when_it_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "QUEUE", 10.0)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(desk.runtime))
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as thread:
        listener.settimeout(10)
        listener.bind(str(desk.socket))
        listener.listen(0)
        waiting = full(listener, desk.socket)
        sending = thread.submit(program._send, b"said", time.monotonic() + 10)
        time.sleep(0.02)
        for _ in waiting[1:]:
            listener.accept()[0].close()
        with listener.accept()[0] as connection:
            assert b"".join(iter(lambda: connection.recv(65536), b"")) == b"said"
        sending.result()
        for each in waiting:
            each.close()


def test_a_monitor_that_stops_reading_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(desk.runtime))
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(desk.socket))
        listener.listen(5)
        with pytest.raises(TimeoutError):
            program._send(b"x" * 10_000_000, time.monotonic() + 0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_another_users_monitor_is_told_nothing(desk: Desk) -> None:
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(desk.socket))
        os.seteuid(65534)
        try:
            listener.listen(5)  # its credentials are those of this moment
        finally:
            os.seteuid(0)
        assert fine(desk.run("gemini", given=STOP), b"{}\n")
        with listener.accept()[0] as connection:
            assert connection.recv(100) == b""


# -- it is not felt ---------------------------------------------------------------------------------


def imported(desk: Desk, how: list[str]) -> set[str]:
    ran = desk.run("claude", given=STOP, how=[how[0], "-X", "importtime", *how[1:]])
    return {line.rpartition(b"|")[2].strip().decode() for line in ran.errors.splitlines()}


async def test_it_imports_next_to_nothing(desk: Desk, told: Told) -> None:
    slow = {"json", "socket", "typing", "enum", "re", "argparse", "pathlib", "contextlib", "dataclasses", "signal"}
    alone, command = [await asyncio.to_thread(imported, desk, how) for how in (ALONE, COMMAND)]
    assert {"_socket", "select"} <= alone & command
    assert alone & slow == set()
    # `python -m` itself needs some of them, an installed `aimond` does not
    never = {"json", "socket", "argparse", "pathlib", "dataclasses", "aimond.commands", "dbus_fast", "msgspec"}
    assert command & never == set()
    assert len(told.hooks) == 2


async def test_it_takes_little_longer_than_an_interpreter_that_does_nothing(desk: Desk, told: Told) -> None:
    def seconds(run: Callable[[], object]) -> float:
        """Of CPU: on a busy machine each wait of a program takes as long as others like."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def ratio() -> float:
        pairs = [
            (
                seconds(lambda: desk.run("claude", given=STOP)),
                seconds(lambda: desk.run("-c", "pass", given=STOP, how=BARE)),
            )
            for _ in range(15)
        ]
        ours, bare = map(min, zip(*pairs, strict=True))
        return ours / bare

    assert await asyncio.to_thread(ratio) < 2
    assert len(told.hooks) == 15
