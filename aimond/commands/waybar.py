"""``aimond waybar``: one line of JSON for each change, for a bar."""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime

from aimond.commands import complain
from aimond.commands.follow import Follower
from aimond.commands.stdout import Lines, while_read
from aimond.commands.waybar_text import line


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print what there is to show, and again whenever that is different, until nobody reads it."""
    return asyncio.run(while_read(_feed(start=arguments.start)))


async def _feed(*, start: bool) -> int:
    lines, last = Lines(), ""

    def tell() -> None:
        nonlocal last
        text = line(follower.mirror, datetime.now().astimezone())
        if text != last:
            last = text
            lines.put(text)

    follower = Follower(tell, start=start)
    await follower.run()
