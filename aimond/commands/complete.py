"""``aimond complete``: what shells offer for a word. The scripts in ``data/`` call it whenever TAB is pressed."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from aimond.bus.client import CallFailed, Monitor, NotRunning

PATIENCE: Final = 1.0  # seconds that a user who pressed TAB may wait for the monitor
# Ids are written by strangers, and shells expand what they complete: only words without a meaning to any shell.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ODD: Final = re.compile(r"[^\w .,/-]+")
_LONGEST: Final = 60


def run(arguments: argparse.Namespace) -> int:
    """Print one word per line, a tab and what it is; nothing when nobody answers, and never an error."""
    with suppress(NotRunning, CallFailed, TimeoutError, BrokenPipeError):
        for word, meaning in offered(asyncio.run(_sessions())):
            print(f"{word}\t{meaning}")
    return 0


async def _sessions() -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE), await Monitor.connect() as monitor:
        return await monitor.sessions()


def offered(sessions: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The ids of the sessions, as the monitor orders them, then their agents."""
    agents: dict[str, str] = {}
    for session in sessions:
        title = plain(session.get("Title") or session["Agent"])
        agents.setdefault(session["Agent"], title)
        if _HARMLESS.fullmatch(session["Id"]):
            parts = (session["State"], title, plain(session.get("Project", "")))
            yield session["Id"], ", ".join(part for part in parts if part)
    for agent, title in agents.items():
        if _HARMLESS.fullmatch(agent):
            yield agent, f"the most urgent session of {title}"


def plain(text: str) -> str:
    """Fit to stand in a shell's menu."""
    return _ODD.sub(" ", text).strip()[:_LONGEST]
