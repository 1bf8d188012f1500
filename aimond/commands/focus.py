"""``aimond focus``: bring a session's terminal to the front."""

from __future__ import annotations

import argparse
import asyncio
import sys

from aimond.bus.client import Monitor
from aimond.commands import complain
from aimond.commands.named import named


@complain
def run(arguments: argparse.Namespace) -> int:
    """Focus one session, or the one that most needs its user; 1 and the reason if that cannot be done."""
    return asyncio.run(_focus(arguments.session))


async def _focus(wanted: str | None) -> int:
    async with await Monitor.connect() as monitor:
        if wanted is None:
            done, why = await monitor.focus_next(), "no session needs you, or none of those has a window that is known"
        else:
            found = named(await monitor.sessions(), wanted)
            meant = f"{found['Agent']}:{found['Id']}" if found else wanted
            done, why = await monitor.focus(meant), "which window it is in is not known"
    if not done:
        print(f"aimond: {why}", file=sys.stderr)
    return 0 if done else 1
