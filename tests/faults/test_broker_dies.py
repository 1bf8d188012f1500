"""The broker hangs, dies or is not there, and a real monitor in a user namespace goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimond.agents import Registry
from aimond.otlp.record import Peer
from aimond.process import peer, proc
from aimond.witness import Witness
from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop
from tests.daemon.test_witness import Cli, running, sessions, soon
from tests.process.brokers import Broker, broker, confine
from tests.process.living import connection


@contextmanager
def story(tmp_path: Path) -> Iterator[tuple[Desktop, Broker, Cli]]:
    with PrivateBus() as bus, broker(tmp_path / "broker") as asks:
        desktop = Desktop(bus, tmp_path)
        confine(desktop, asks)
        with desktop.monitor(), running(desktop, tmp_path) as cli:
            yield desktop, asks, cli


def pid_is(desktop: Desktop, pid: int) -> bool:
    return soon(desktop, lambda found: [each["Pid"] for each in found] == [pid])


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_while_the_broker_is_away_processes_are_unknown_and_all_else_goes_on(
    tmp_path: Path, fault: signal.Signals
) -> None:
    with story(tmp_path) as (desktop, asks, cli):
        assert asks.process
        asks.process.send_signal(fault)
        began = time.monotonic()
        for _ in range(10):
            cli.says("user_prompt")
        assert time.monotonic() - began < 3, "each record waited for the broker"
        assert pid_is(desktop, 0)
        cli.hooks("PermissionRequest", tool_name="Bash")
        assert soon(desktop, lambda found: [each["State"] for each in found] == ["waiting"])

        if fault == signal.SIGSTOP:
            asks.process.send_signal(signal.SIGCONT)
        else:
            asks.kill()  # has it waited for
            asks.start()  # as systemd does, for whoever is connected
        end = time.monotonic() + 10
        while not [each for each in sessions(desktop) if each["Pid"]] and time.monotonic() < end:
            cli.says("tool_decision", decision="accept")
        (session,) = sessions(desktop)
        assert (session["Pid"], session["Directory"]) == (cli.pid, str(cli.directory))
        os.kill(cli.pid, signal.SIGKILL)
        cli.process.wait()
        assert soon(desktop, lambda found: found == []), "its end is told by the kernel"


def test_a_broker_that_hangs_delays_the_start_and_stops_it_not(tmp_path: Path) -> None:
    with PrivateBus() as bus, broker(tmp_path / "broker") as asks:
        assert asks.process
        asks.process.send_signal(signal.SIGSTOP)
        desktop = Desktop(bus, tmp_path)
        confine(desktop, asks)
        with desktop.monitor(), running(desktop, tmp_path) as cli:
            cli.says("user_prompt")
            assert pid_is(desktop, 0)


async def test_a_directory_that_was_not_told_is_asked_for_with_the_next_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    witness = Witness(Registry(), lambda _pid, directory, _tty: told.append(directory), lambda *_: None)
    with connection("127.0.0.1") as (process, _):
        monkeypatch.setattr(peer, "sender", lambda *_: (process.pid, ("claude",)))
        with monkeypatch.context() as away:
            away.setattr(proc, "directory", lambda _: "")
            witness.meet(Peer("http"))
        for _ in range(2):
            witness.meet(Peer("http"))
    witness.close()
    assert told == ["", str(Path.cwd())]
