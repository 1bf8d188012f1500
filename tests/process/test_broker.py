"""What the kernel does not tell in a user namespace, and who tells it there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimond.process import asked, peer, proc, program
from aimond.process import broker as brokers
from tests.process.brokers import CONFINED, Broker, broker
from tests.process.living import NOBODY, as_nobody, connection, python, running, until

ROOT = Path(__file__).parents[2]
US = {"TMUX": "/tmp/tmux,1,0", "TMUX_PANE": "%7", "WINDOWID": "12"}
LOOKS = """
import json, sys
from aimond.process import asked, peer, proc, program
from aimond.otlp.ports import PortInUse, listen
asked._START = asked.Line.ask.__kwdefaults__["within"] = 20  # as long as a busy machine may take
if line := asked.line():
    line.await_start()
pid, local, remote, port = json.loads(sys.argv[1])
try:
    listen(["127.0.0.1"], port)
except PortInUse as error:
    taken = str(error)
sender = peer.sender(tuple(local), tuple(remote), [], [], ["python3"], 0)
words = program.programs(pid)
process = proc.read(pid)
print(json.dumps([sender, words, process.cwd, proc.environment(pid, "TMUX", "WINDOWID"), taken]))
"""


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "broker") as made:
        yield made


class Patient(asked.Line):
    """Waits for as long as a busy machine may take."""

    def ask(self, question: str, *arguments: Any, within: float = 20.0) -> Any:
        return super().ask(question, *arguments, within=within)


@pytest.fixture
def line(there: Broker) -> Iterator[asked.Line]:
    made = Patient(there.place)
    yield made
    made.close()


@pytest.fixture
def hasty(there: Broker) -> Iterator[asked.Line]:
    """As the monitor's."""
    made = asked.Line(there.place)
    until(lambda: answered(made), 20)
    yield made
    made.close()


def seen(tmp_path: Path, *before: str, **variables: str) -> tuple[bool, bool, list[Any]]:
    """What a Python that is started so tells of a process that is connected to us: all there is to be told? who holds a
    port? and what it says."""
    with connection("127.0.0.1", env={**os.environ, **US}, cwd=tmp_path) as (process, ours):
        with socket.create_server(("127.0.0.1", 0)) as other:
            about = json.dumps([process.pid, ours.getsockname(), ours.getpeername(), other.getsockname()[1]])
            environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
            command = [*before, sys.executable, "-c", LOOKS, about]
            told = json.loads(subprocess.check_output(command, env=environment, text=True))
        executable = str(Path(f"/proc/{process.pid}/exe").readlink())
        comm = Path(f"/proc/{process.pid}/comm").read_text().strip()
        us = told.pop()
        expected = [[process.pid, [executable, comm]], [executable, comm], str(tmp_path), [US["TMUX"], US["WINDOWID"]]]
    return told == expected, f"(pid {os.getpid()})" in us, told


def test_in_a_user_namespace_the_kernel_tells_little_and_the_broker_the_rest(there: Broker, tmp_path: Path) -> None:
    everything, holder, told = seen(tmp_path, *CONFINED)
    assert (everything, holder, told[0]) == (False, False, [0, []]), "then nothing needs a broker"
    everything, holder, told = seen(tmp_path, *CONFINED, AIMOND_BROKER=there.place)
    assert (everything, holder) == (True, True), told


def test_what_it_tells_is_what_one_sees_without_it(there: Broker, tmp_path: Path) -> None:
    for variables in ({}, {"AIMOND_BROKER": there.place}):
        everything, holder, told = seen(tmp_path, **variables)
        assert (everything, holder) == (True, True), told


def test_every_function_that_asks_is_one_that_it_answers() -> None:
    marked = {name for module in (peer, proc, program) for name, it in vars(module).items() if _asks(it)}
    assert marked == set(brokers.QUESTIONS)


def _asks(it: Any) -> bool:
    return hasattr(it, "__wrapped__") and it.__module__.startswith("aimond.process.")


def test_another_users_socket_is_told_from_roots(line: asked.Line) -> None:
    with connection("127.0.0.1") as (_, ours):
        assert line.ask("owner", ours.getpeername(), ours.getsockname()) == os.geteuid()


# -- what it does not tell --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("variables", [os.getpid(), ["PATH"]]),
        ("variables", [os.getpid(), ["TMUX", ["TMUX"]]]),
        ("directory", ["../../etc"]),
        ("directory", [True]),
        ("directory", [2**70]),
        ("programs", [0]),
        ("programs", []),
        ("sender", [["127.0.0.1", 1], ["127.0.0.1", 2], list(range(1, 2000)), [], [], 0]),
        ("listener", ["80"]),
        ("content", [os.getpid(), "environ", 100]),
        ("__class__", []),
        ([], []),
    ],
)
def test_what_is_no_question_has_no_answer(line: asked.Line, question: Any, arguments: list[Any]) -> None:
    with pytest.raises(asked.Unanswered):
        line.ask(question, *arguments)
    assert line.ask("directory", os.getpid()) == str(Path.cwd())


def test_of_another_users_process_it_tells_nothing(line: asked.Line) -> None:
    if os.geteuid() == 0:
        how = {"user": NOBODY, "group": NOBODY}
        with running(["/bin/sh", "-c", "echo ready; exec sleep 60"], **how) as other:
            refused(line, other.pid)
    else:
        refused(line, 1)


def refused(line: asked.Line, pid: int) -> None:
    for question, *more in (("programs",), ("directory",), ("variables", ["TMUX"])):
        with pytest.raises(asked.Unanswered):
            line.ask(question, pid, *more)


ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
ASKED = st.tuples(st.integers(), st.sampled_from(sorted(brokers.QUESTIONS)), ANYTHING, ANYTHING).map(list) | ANYTHING


@given(st.binary(max_size=200) | ASKED.map(lambda it: json.dumps(it).encode()))
def test_whatever_it_is_asked_it_answers_or_says_that_it_does_not(request: bytes) -> None:
    told = json.loads(brokers.answer(request))
    assert isinstance(told, list)
    assert len(told) in (1, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_answered_even_where_the_socket_lets_him(there: Broker, line: asked.Line) -> None:
    for path in (Path(there.place), *Path(there.place).parents[:3]):
        path.chmod(0o777)
    assert answered(line)
    us = os.getpid()
    assert as_nobody(lambda: answered(asked.Line(there.place), us)) is False


# -- its life ---------------------------------------------------------------------------------------


def test_it_goes_when_its_last_monitor_has_gone_and_not_before() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind("")  # an abstract name
        listener.listen()
        child = os.fork()
        if not child:
            brokers.serve(listener, linger=50)
            os._exit(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as monitor:
            monitor.connect(listener.getsockname())
            time.sleep(0.2)
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
        until(lambda: os.waitpid(child, os.WNOHANG)[0] == child)


def test_by_hand_it_says_who_starts_it() -> None:
    done = subprocess.run([sys.executable, "-m", "aimond", "broker"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, "systemd" in done.stderr) == (2, True)


def test_idle_it_does_nothing(there: Broker, line: asked.Line) -> None:
    assert there.process
    line.ask("listener", 1)
    status = Path(f"/proc/{there.process.pid}/status")
    until(lambda: "\nState:\tS" in status.read_text())
    before = [line for line in status.read_text().splitlines() if "ctxt" in line]
    time.sleep(0.5)
    assert [line for line in status.read_text().splitlines() if "ctxt" in line] == before


def test_one_question_keeps_nobody_waiting(there: Broker, line: asked.Line) -> None:
    """70 µs on an idle machine; reading 300 processes' files would take 100 times as long."""
    line.ask("listener", 1)
    took = []
    for _ in range(50):
        began = time.perf_counter()
        line.ask("directory", os.getpid())
        took.append(time.perf_counter() - began)
    assert min(took) < 0.002


# -- its faults -------------------------------------------------------------------------------------


def test_a_broker_that_hangs_costs_one_wait_and_is_well_again_when_it_goes_on(there: Broker, hasty: asked.Line) -> None:
    assert there.process
    there.process.send_signal(signal.SIGSTOP)
    took = [unanswered(hasty) for _ in range(20)]
    assert 0.05 < took[0] < 2
    assert sum(took[1:]) < 1, "the loop would stand still with each question"
    there.process.send_signal(signal.SIGCONT)
    until(lambda: answered(hasty), 20)


def test_a_broker_that_was_killed_is_unknown_and_well_again_with_the_next(there: Broker, hasty: asked.Line) -> None:
    there.kill()
    assert unanswered(hasty) < 2
    there.start()
    until(lambda: answered(hasty), 20)


def test_without_a_broker_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMOND_BROKER", str(tmp_path / "none"))
    monkeypatch.setitem(asked.Line.ask.__kwdefaults__, "within", 20.0)
    with running(python("")) as process:
        began = time.monotonic()
        found = proc.read(process.pid)
        assert (program.programs(process.pid), proc.environment(process.pid, "TMUX")) == ((), [""])
        assert peer.sender(("127.0.0.1", 1), ("127.0.0.1", 2), (), (), (), 0) == (-1, ())
        assert time.monotonic() - began < 20
    assert found
    assert (found.pid, found.cwd) == (process.pid, "")


def unanswered(line: asked.Line) -> float:
    """How long it takes not to be answered, in seconds."""
    began = time.monotonic()
    with pytest.raises(asked.Unanswered):
        line.ask("directory", os.getpid())
    return time.monotonic() - began


def answered(line: asked.Line, pid: int = 0) -> bool:
    try:
        return bool(line.ask("directory", pid or os.getpid()))
    except asked.Unanswered:
        return False
