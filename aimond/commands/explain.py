"""``aimond explain``: why a session is in its state."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from typing import Any

from aimond.bus.client import Monitor
from aimond.commands import complain, paint
from aimond.commands.named import named


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print the reasons of one session, or of the one that most needs its user, newest first; 1 if there is none."""
    return asyncio.run(_explain(arguments.session, as_json=arguments.json))


async def _explain(wanted: str | None, *, as_json: bool) -> int:
    async with await Monitor.connect() as monitor:
        sessions = await monitor.sessions()
        found = named(sessions, wanted or "")
        if not found and not wanted:
            print("no sessions")
            return 1
        reasons = await monitor.explain(f"{found['Agent']}:{found['Id']}" if found else str(wanted))
    if as_json:
        print(json.dumps(reasons, indent=2))
        return 0
    print(found["Id"] if found else wanted)
    for reason in reasons:
        print(line(reason))
    return 0


def line(reason: dict[str, Any]) -> str:
    """One reason, for people."""
    time = datetime.fromtimestamp(reason["Time"] / 1e6).astimezone().strftime("%H:%M:%S.%f")[:-3]
    state = paint(reason["State"].ljust(9), reason["State"])
    return f"  {time}  {state}  {reason['Evidence']:<7}  {reason['Confidence']:<8}  {reason['Record']}".rstrip()
