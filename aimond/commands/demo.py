"""``aimond demo``: real recordings of three CLIs, played into the running monitor as if they happened now."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Final

from aimond.commands import complain
from aimond.commands.setup_token import known_to
from aimond.config import ConfigError
from aimond.sender import send
from aimond.tape import Tape, read

TAPES: Final = "demo"


@complain
def run(arguments: argparse.Namespace) -> int:
    """Play all recordings side by side; 1 when nothing listens at the address."""
    folder = Path(str(files("aimond") / TAPES))
    tapes = [read(path) for path in sorted(folder.glob("*.tape.jsonl.gz"))]
    seconds = max(tape.lines[-1].t for tape in tapes) / arguments.speed
    try:
        token = known_to(arguments.to)
    except (ConfigError, ValueError) as error:
        print(f"aimond: {error}", file=sys.stderr)
        return 2
    print(f"playing {len(tapes)} recorded sessions into {arguments.to} for {seconds:.0f} s", file=sys.stderr)
    begin = time.time_ns() // 1000
    return asyncio.run(_play(tapes, arguments, begin, token))


async def _play(tapes: list[Tape], arguments: argparse.Namespace, begin: int, token: str) -> int:
    sending = (send(tape, arguments.to, arguments.speed, begin=begin, token=token) for tape in tapes)
    played = await asyncio.gather(*sending)
    return max(played)
