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
    replay.add_argument("--to", metavar="URL", help="send the requests to this OTLP/HTTP receiver instead")
    replay.add_argument("--speed", type=speed, default=1.0, metavar="N|max", help="with --to: times as fast (1)")
    demo = commands.add_parser("demo", help="play recorded sessions of three CLIs into the running monitor")
    demo.add_argument("--to", default="http://127.0.0.1:4318", metavar="URL", help="the monitor (%(default)s)")
    demo.add_argument("--speed", type=speed, default=1.0, metavar="N|max", help="times as fast (1)")
    status = commands.add_parser("status", help="show all sessions, the most urgent first")
    watch = commands.add_parser("watch", help="print what changes, as it changes")
    explain = commands.add_parser("explain", help="tell why a session is in its state")
    explain.add_argument(
        "session", nargs="?", metavar="ID", help="an id, its beginning, or an agent (the most urgent one)"
    )
    for command in (status, watch, explain):
        command.add_argument("--json", action="store_true", help="print JSON")
    return top


def speed(text: str) -> float:
    """A factor, or as fast as it goes."""
    factor = float("inf") if text == "max" else float(text)
    if not factor > 0:
        raise argparse.ArgumentTypeError("must be above 0, or max")
    return factor


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 could not, 2 wrong usage."""
    chosen = parser().parse_args(arguments)
    command = import_module(f"aimond.commands.{chosen.command}")
    status: int = command.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
