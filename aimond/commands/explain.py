"""``aimond explain``: why a session is in its state."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from typing import Any

from aimond.bus.client import Monitor
from aimond.commands import complain, paint


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print the reasons of one session, or of the one that most needs its user, newest first; 1 if there is none."""
    return asyncio.run(_explain(arguments.session, as_json=arguments.json))


async def _explain(wanted: str | None, *, as_json: bool) -> int:
    async with await Monitor.connect() as monitor:
        sessions = await monitor.sessions()
        found = next((session["Id"] for session in sessions if is_meant(session, wanted or "")), wanted)
        if found is None:
            print("no sessions")
            return 1
        reasons = await monitor.explain(found)
    if as_json:
        print(json.dumps(reasons, indent=2))
        return 0
    print(found)
    for reason in reasons:
        print(line(reason))
    return 0


def is_meant(session: dict[str, Any], wanted: str) -> bool:
    """Whether a session is the one of that agent, or of the id that begins so."""
    return bool(session["Id"].startswith(wanted) or session["Agent"] == wanted)


def line(reason: dict[str, Any]) -> str:
    """One reason, for people."""
    time = datetime.fromtimestamp(reason["Time"] / 1e6).astimezone().strftime("%H:%M:%S.%f")[:-3]
    state = paint(reason["State"].ljust(9), reason["State"])
    return f"  {time}  {state}  {reason['Evidence']:<7}  {reason['Confidence']:<8}  {reason['Record']}".rstrip()
