"""``aimond top``: all sessions, live; needs rich, which comes with ``aimond[top]``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib.util import find_spec

from aimond.commands import complain


@complain
def run(arguments: argparse.Namespace) -> int:
    """Show the sessions until the user has seen enough; 1 where there is no terminal, or no rich."""
    if not find_spec("rich"):
        print("aimond: top needs rich: pip install 'aimond[top]'", file=sys.stderr)
        return 1
    from rich.console import Console

    console = Console(highlight=False)
    if not (sys.stdin.isatty() and console.is_terminal) or console.is_dumb_terminal:
        print("aimond: top needs a terminal that it can draw in; `aimond status` prints the same once", file=sys.stderr)
        return 1
    from aimond.commands.top_screen import Screen

    return asyncio.run(Screen(console).run())
