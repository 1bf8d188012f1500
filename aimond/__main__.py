"""The ``aimond`` command. Imports stay inside the commands: starting one must not cost what another needs."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from aimond import __version__


def parser() -> argparse.ArgumentParser:
    """All commands and options, for ``--help``, the manual and the completions."""
    top = argparse.ArgumentParser(prog="aimond", description="Knows every AI coding session on this desktop.")
    top.add_argument("--version", action="version", version=f"aimond {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="run the monitor on the session bus, until SIGTERM or SIGINT")
    run.add_argument("--config", type=Path, metavar="FILE", help="instead of $XDG_CONFIG_HOME/aimond/config.toml")
    replay = commands.add_parser("replay", help="play recorded tapes, without a bus, and print what changed")
    replay.add_argument("tape", nargs="+", metavar="TAPE", help="a recording, *.tape.jsonl or *.tape.jsonl.gz")
    replay.add_argument("--only", choices=["otlp"], help="leave out what came by other ways than the network")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 could not, 2 wrong usage."""
    chosen = parser().parse_args(arguments)
    command = import_module(f"aimond.commands.{chosen.command}")
    status: int = command.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
