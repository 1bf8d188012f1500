"""``aimond acknowledge``: the user has seen what came of a session."""

from __future__ import annotations

import argparse
import asyncio

from aimond.bus.client import Monitor
from aimond.commands import complain
from aimond.commands.look import fit
from aimond.commands.named import named


@complain
def run(arguments: argparse.Namespace) -> int:
    """Acknowledge the sessions named, or all, or the one that most needs its user; 1 if there is none."""
    return asyncio.run(_acknowledge(arguments.session, everything=arguments.all))


async def _acknowledge(wanted: list[str], *, everything: bool) -> int:
    async with await Monitor.connect() as monitor:
        if everything:
            await monitor.acknowledge_all()
            return 0
        sessions = await monitor.sessions()
        if not sessions and not wanted:
            print("no sessions")
            return 1
        for name in wanted or [""]:
            found = named(sessions, name)
            await monitor.acknowledge(f"{found['Agent']}:{found['Id']}" if found else name)
            if found:
                print(f"acknowledged {fit(found['Agent'], 24)} {fit(found['Project'], 40)} {found['Id']}")
    return 0
