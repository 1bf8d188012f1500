"""Completion: what `aimond complete` tells shells, and what bash makes of it. (zsh and fish: tests/e2e.)"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from aimond.commands.complete import offered
from aimond.tape import read
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.manual.shells import bash, environment

TAPE = Path(__file__).parents[1] / "tapes/claude/2.1.330/ctrlc.tape.jsonl.gz"


def session(**more: Any) -> dict[str, Any]:
    return {"Id": "s-1", "Agent": "codex", "Title": "Codex CLI", "Project": "site", "State": "waiting", **more}


def test_sessions_are_offered_in_their_order_and_then_their_agents_once() -> None:
    found = list(offered([session(), session(Id="s-0", State="idle", Project="")]))
    assert found == [
        ("s-1", "waiting, Codex CLI, site"),
        ("s-0", "idle, Codex CLI"),
        ("codex", "the most urgent session of Codex CLI"),
    ]


@pytest.mark.parametrize(
    "odd", ["$(id)", "`id`", "a b", "a;b", "*", "a\nb", "-rf", "a'b", "\x1b[0m", "é", "", "x" * 200]
)
def test_a_word_that_could_mean_something_to_a_shell_is_not_offered(odd: str) -> None:
    assert list(offered([session(Id=odd, Agent=odd)])) == []


@pytest.mark.parametrize("odd", ["$(id)", "`id`", "a\tb\nc", "a:[b]", "\x1b]0;x\x07"])
def test_what_stands_beside_it_is_plain(odd: str) -> None:
    ((_, meaning), *_) = offered([session(Project=odd)])
    assert not set("$`\t\n[]:;\x1b\x07()") & set(meaning)


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Where no monitor runs, nor a bus."""
    nowhere = {"XDG_RUNTIME_DIR": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    return environment({**os.environ, **nowhere}, tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aimond st", ["status"]),
        ("aimond expl", ["explain"]),
        ("aimond comp", []),
        ("aimond --ver", ["--version"]),
        ("aimond status --", ["--help", "--json"]),
        ("aimond setup c", ["claude", "codex"]),
        ("aimond setup --dry-run g", ["gemini"]),
        ("aimond doctor --json c", ["claude", "codex"]),
        ("aimond hook ", ["claude", "codex", "gemini"]),
        ("aimond explain ", []),
    ],
)
def test_bash_offers_what_fits(line: str, words: list[str], alone: dict[str, str]) -> None:
    assert bash(line, alone) == words


def test_bash_offers_files_where_a_file_belongs(alone: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    assert bash(f"aimond run --config {tmp_path}/mi", alone) == [f"{tmp_path}/mine.toml"]


def test_without_a_monitor_nothing_is_said_and_soon(alone: dict[str, str]) -> None:
    with PrivateBus() as bus:
        for env in (alone, {**alone, **{key: bus.environment[key] for key in ("DBUS_SESSION_BUS_ADDRESS",)}}):
            start = time.monotonic()
            done = subprocess.run(["aimond", "complete", "sessions"], env=env, capture_output=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
            assert time.monotonic() - start < 10, "with all the patience for a busy machine"


async def test_bash_offers_the_ids_of_live_sessions(tmp_path: Path) -> None:
    with PrivateBus() as bus:
        async with live(bus) as running:
            await running.until_understood(await running.post(read(TAPE)))
            ids = [each["Id"] for each in await running.reader.sessions()]
            env = environment(bus.environment, tmp_path)
            assert ids
            assert await asyncio.to_thread(bash, "aimond explain ", env) == [*ids, "claude-code"]
            assert await asyncio.to_thread(bash, f"aimond explain {ids[0][:8]}", env) == [ids[0]]
