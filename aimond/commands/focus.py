"""``aimond focus``: bring a session's terminal to the front."""

from __future__ import annotations

import argparse
import asyncio
import sys

from aimond.bus.client import Monitor
from aimond.commands import complain
from aimond.commands.explain import is_meant


@complain
def run(arguments: argparse.Namespace) -> int:
    """Focus one session, or the one that most needs its user; 1 and the reason if that cannot be done."""
    return asyncio.run(_focus(arguments.session))


async def _focus(wanted: str | None) -> int:
    async with await Monitor.connect() as monitor:
        if wanted is None:
            done, why = await monitor.focus_next(), "no session needs you, or none of those has a window that is known"
        else:
            meant = (f"{one['Agent']}:{one['Id']}" for one in await monitor.sessions() if is_meant(one, wanted))
            done, why = await monitor.focus(next(meant, wanted)), "which window it is in is not known"
    if not done:
        print(f"aimond: {why}", file=sys.stderr)
    return 0 if done else 1
