"""``aimond acknowledge``: which sessions it names to the monitor."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from aimond.bus.service import Service
from aimond.commands.named import named
from aimond.core.snapshot import State
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus


async def acknowledge(bus: PrivateBus, *arguments: str) -> tuple[int | None, str, str]:
    command = (sys.executable, "-m", "aimond", "acknowledge", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=bus.environment, stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("arguments", "acknowledged"),
    [
        ((), ["failed-1"]),
        (("done-1",), ["done-1"]),
        (("done", "codex"), ["done-1", "failed-1"]),
        (("--all",), ["done-1", "failed-1", "idle-1"]),
    ],
)
async def test_sessions_are_named_as_for_explain(
    bus: PrivateBus, service: Service, source: Standin, arguments: tuple[str, ...], acknowledged: list[str]
) -> None:
    source.add("done-1", state=State.COMPLETED, project="shop")
    source.add("failed-1", "codex", state=State.FAILED)
    source.add("idle-1")
    status, out, error = await acknowledge(bus, *arguments)
    assert (status, error) == (0, "")
    assert [session_id for _, session_id in source.acknowledged] == acknowledged
    assert out.count("acknowledged ") == (0 if "--all" in arguments else len(acknowledged))


async def test_what_is_not_there_is_an_error(bus: PrivateBus, service: Service, source: Standin) -> None:
    assert await acknowledge(bus) == (1, "no sessions\n", "")
    status, _, error = await acknowledge(bus, "nothing")
    assert (status, error) == (1, "aimond: there is no session 'nothing'\n")


async def test_without_a_monitor_it_says_what_to_do(bus: PrivateBus) -> None:
    status, _, error = await acknowledge(bus, "--all")
    assert status == 1
    assert "`aimond run`" in error


def test_a_whole_id_is_meant_before_the_beginning_of_another() -> None:
    sessions = [{"Id": "ab", "Agent": "codex"}, {"Id": "a", "Agent": "codex"}]
    assert named(sessions, "a") == sessions[1]
    assert named(sessions, "codex") == named(sessions, "") == sessions[0]
    assert named(sessions, "b") is None
