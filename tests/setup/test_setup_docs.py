"""docs/setup.md shows what setup writes."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from home import CLIS, wanted

from aimond.agents.claude_code.settings import HOOKS as CLAUDE
from aimond.agents.codex.settings import HOOKS as CODEX
from aimond.agents.gemini_cli.settings import DELAY
from aimond.agents.gemini_cli.settings import HOOKS as GEMINI

PAGE = (Path(__file__).parents[2] / "docs" / "setup.md").read_text()
EVENTS = {"claude": CLAUDE, "codex": CODEX, "gemini": GEMINI}


def section(cli: str) -> str:
    return next(part for part in PAGE.split("\n### ") if part.startswith(CLIS[cli].title))


@pytest.mark.parametrize("cli", CLIS)
def test_the_page_shows_the_file(cli: str) -> None:
    ((kind, block),) = re.findall(r"```(json|toml)\n(.*?)```", section(cli), re.DOTALL)
    load: Any = {"json": json.loads, "toml": tomllib.loads}[kind]
    written = load(CLIS[cli].add({}, wanted(cli)).files[CLIS[cli].files[0]])
    ((event, _),) = load(block).pop("hooks").items()
    written["hooks"] = {event: written["hooks"][event]}
    text = json.dumps(written).replace(json.dumps(wanted(cli).command), '"…"')
    shown = json.loads(text)
    shown |= {"notify": ["…"]} if cli == "codex" else {}
    assert load(block) == shown


@pytest.mark.parametrize("cli", CLIS)
def test_the_page_names_every_hook(cli: str) -> None:
    (line,) = re.findall(r"\nHooks: (.*?)\.\n", section(cli), re.DOTALL)
    assert re.findall(r"`(\w+)`", line) == [hook.event for hook in EVENTS[cli]]


@pytest.mark.parametrize("cli", CLIS)
def test_the_page_names_the_files_and_what_moves_them(cli: str) -> None:
    settings = CLIS[cli]
    heading = section(cli).partition("\n")[0]
    assert all(f"`{name}`" in heading or f"`{name}`" in section(cli) for name in settings.files)
    assert f"~/{settings.home}" in heading
    assert f"${settings.variable}" in heading
    assert f"`{settings.nix}`" in PAGE


def test_the_page_names_the_delay() -> None:
    assert "=".join(DELAY) in PAGE
