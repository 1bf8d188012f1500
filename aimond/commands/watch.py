"""``aimond watch``: what changes, as it changes."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from typing import Any, Final

from aimond.bus.client import Monitor, Signal
from aimond.commands import complain, paint
from aimond.commands.stdout import while_read

ROOT: Final = "/org/ai/Monitor"
SESSION: Final = "org.ai.Monitor.Session"

# What people are told of; --json has all signals.
SHOWN: Final = {
    "SessionAdded": "session opened",
    "SessionRemoved": "session gone: {reason}",
    "SessionStateChanged": "{old} → {new} {reason}",
    "SessionCompleted": "turn completed",
    "AttentionNeeded": "needs you {reason}",
    "BudgetCrossed": "budget {budget}: {spent:.2f} of {limit:.2f}",
}


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print each change as a line until interrupted, until nobody reads it (0), or until the bus is gone (1)."""
    return asyncio.run(while_read(_watch(as_json=arguments.json)))


async def _watch(*, as_json: bool) -> int:
    async with await Monitor.connect() as monitor:
        await monitor.subscribe()
        await _tell_present(monitor, as_json=as_json)
        async for signal in monitor.changes():
            _tell(signal, as_json=as_json)
            if signal.name == "NameOwnerChanged" and signal.values["new_owner"]:
                await _tell_present(monitor, as_json=as_json)
    return 1


async def _tell_present(monitor: Monitor, *, as_json: bool) -> None:
    """Tell of the sessions that are there as if they had just come, with all their properties for programs."""
    for session in await monitor.sessions():
        at = session.pop("Path")
        _tell(Signal("InterfacesAdded", ROOT, {"object": at, "interfaces": {SESSION: session}}), as_json=as_json)
        opened = {"session": at, "id": session["Id"], "agent": session["Agent"]}
        _tell(Signal("SessionAdded", ROOT, opened), as_json=as_json)


def _tell(signal: Signal, *, as_json: bool) -> None:
    text = as_object(signal) if as_json else as_line(signal)
    if text:
        print(text, flush=True)


def as_object(signal: Signal) -> str:
    """The signal as one line of JSON."""
    return json.dumps({"signal": signal.name, "path": signal.path, **signal.values})


def as_line(signal: Signal) -> str:
    """The signal for people, "" for those that only programs want."""
    shape = SHOWN.get(signal.name)
    if shape is None:
        return ""
    values: dict[str, Any] = {"reason": "", **signal.values}
    time = datetime.now().astimezone().strftime("%H:%M:%S")
    text = shape.format(**values).strip()
    return f"{time}  {str(values.get('id', ''))[:8]:<8}  {paint(text, str(values.get('new', '')))}"
