"""Completion in zsh at a terminal, and in fish, with a live monitor and without one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from aimond.tape import read
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.manual.shells import environment, fish, zsh

TAPE = Path(__file__).parents[1] / "tapes/claude/2.1.330/ctrlc.tape.jsonl.gz"


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Where no monitor runs, nor a bus."""
    nowhere = {"XDG_RUNTIME_DIR": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    return environment({**os.environ, **nowhere}, tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aimond st", ["status"]),
        ("aimond comp", []),
        ("aimond status --", ["--help", "--json"]),
        ("aimond setup c", ["claude", "codex"]),
        ("aimond hook ", ["claude", "codex", "gemini"]),
        ("aimond explain ", []),
    ],
)
def test_fish_offers_what_fits(line: str, words: list[str], alone: dict[str, str]) -> None:
    assert fish(line, alone) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aimond sta", ["tus"]),
        ("aimond status --", ["--help", "--json"]),
        ("aimond setup ", ["all", "claude", "codex", "gemini"]),
        ("aimond hook ", ["claude", "codex", "gemini"]),
    ],
)
def test_zsh_offers_what_fits(line: str, words: list[str], alone: dict[str, str]) -> None:
    shown = zsh(line, alone)
    assert [word for word in words if word not in shown] == []


def test_zsh_is_silent_where_no_monitor_is(alone: dict[str, str]) -> None:
    shown = zsh("aimond explain ", alone)
    assert [word for word in ("rror", "raceback", "not found", "running") if word in shown] == []


async def test_both_offer_the_ids_of_live_sessions(tmp_path: Path) -> None:
    with PrivateBus() as bus:
        async with live(bus) as running:
            await running.until_understood(await running.post(read(TAPE)))
            ids = [each["Id"] for each in await running.reader.sessions()]
            env = environment(bus.environment, tmp_path)
            assert ids
            assert await asyncio.to_thread(fish, "aimond explain ", env) == [*ids, "claude-code"]
            shown = await asyncio.to_thread(zsh, "aimond explain ", env)
            assert [word for word in (*ids, "the most urgent session of Claude Code") if word not in shown] == []
            assert ids[0][8:] in await asyncio.to_thread(zsh, f"aimond explain {ids[0][:8]}", env)
