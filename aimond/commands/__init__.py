"""The commands, one file each. All but ``run``, ``replay`` and ``demo`` are D-Bus clients like any other."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable

from aimond.bus.client import CallFailed, NotRunning
from aimond.commands.look import LOOKS
from aimond.commands.stdout import let_go

Run = Callable[[argparse.Namespace], int]


def complain(run: Run) -> Run:
    """Let a command fail with one line that says what to do, and exit status 1."""

    @functools.wraps(run)
    def wrapped(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except (NotRunning, CallFailed) as error:
            print(f"aimond: {error}", file=sys.stderr)
            return 1
        except BrokenPipeError:  # the reader has seen enough: `aimond watch | head`
            let_go()
            return 0
        except KeyboardInterrupt:
            return 130

    return wrapped


def paint(text: str, state: str) -> str:
    """The text in its state's colour, on a terminal that wants colours (https://no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or state not in LOOKS:
        return text
    return f"\x1b[{LOOKS[state].sgr}m{text}\x1b[0m"
