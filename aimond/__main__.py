"""The ``aimond`` command. Imports stay inside the commands: starting one must not cost what another needs."""

from __future__ import annotations

import sys

from aimond import __version__

TYPE_CHECKING = False  # typing takes as long to import as a hook may take
if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """All commands and options, for ``--help``, the manual and the completions."""
    import argparse
    from pathlib import Path

    top = argparse.ArgumentParser(prog="aimond", description="Knows every AI coding session on this desktop.")
    top.add_argument("--version", action="version", version=f"aimond {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # For the scripts of the shells: without a help, so that no list shows it.
    commands.add_parser("complete").add_argument("what", choices=["sessions"])
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
    focus = commands.add_parser("focus", help="bring a session's terminal to the front (Sway, i3)")
    which = focus.add_mutually_exclusive_group()
    which.add_argument("session", nargs="?", metavar="ID", help="as for explain; else the one that most needs you")
    which.add_argument("--next", action="store_true", help="the one that most needs you, again and again the next")
    prices = commands.add_parser("prices", help="show what models are taken to cost, and who says so")
    prices.add_argument("model", nargs="*", metavar="MODEL", help="which (those that the monitor has seen)")
    prices.add_argument("--config", type=Path, metavar="FILE", help="instead of $XDG_CONFIG_HOME/aimond/config.toml")
    usage = commands.add_parser("usage", help="tokens and money, by day, agent, model, project or session")
    usage.add_argument(
        "period", nargs="?", default="today", metavar="PERIOD", help="today, yesterday, week, month or DATE[/DATE]"
    )
    groups = ["agent", "model", "project", "day", "session"]
    usage.add_argument("--by", default="agent", choices=groups, help="a row for each of these (%(default)s)")
    form = usage.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--json", action="store_true", help="print JSON")
    waybar = commands.add_parser("waybar", help="print a line of JSON for each change, for Waybar and other bars")
    waybar.add_argument("--start", action="store_true", help="start the monitor if it does not run")
    commands.add_parser("top", help="show all sessions, live, and act on them")
    acknowledge = commands.add_parser("acknowledge", help="say that you have seen what came of sessions")
    acknowledge.add_argument("session", nargs="*", metavar="ID", help="as for explain; the most urgent one if none")
    acknowledge.add_argument("--all", action="store_true", help="all of them")
    inhibit = commands.add_parser("inhibit", help="show no notifications while a command runs")
    inhibit.add_argument("--who", default="aimond inhibit", help="who asks (%(default)s)")
    inhibit.add_argument("--why", metavar="REASON", help="why (the command)")
    inhibit.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="what to run")
    hook = commands.add_parser("hook", help="tell the monitor what a CLI tells its hooks; for the CLIs' settings")
    hook.add_argument("agent", metavar="AGENT", help="whose hook it is: claude, codex or gemini")
    hook.add_argument("payload", nargs="?", metavar="JSON", help="as Codex gives it to its notify program; else stdin")
    setup = commands.add_parser("setup", help="point the CLIs at aimond by their own settings, or take that back")
    setup.add_argument("cli", nargs="?", choices=["claude", "codex", "gemini", "all"], help="which (installed ones)")
    setup.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    setup.add_argument("--token", action="store_true", help="make a token, which telemetry must carry from then on")
    setup.add_argument("--remove", action="store_true", help="take back what setup has changed")
    doctor = commands.add_parser("doctor", help="tell whether the CLIs reach the monitor, and what to do if not")
    doctor.add_argument("cli", nargs="?", choices=["claude", "codex", "gemini"], help="which (all)")
    install = commands.add_parser("install", help="make aimond a service of your desktop, or undo that")
    install.add_argument("--remove", action="store_true", help="take everything away but settings and history")
    install.add_argument("--no-start", action="store_true", help="enable it, but do not start it now")
    install.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    for command in (status, watch, explain, prices, doctor):
        command.add_argument("--json", action="store_true", help="print JSON")
    return top


def speed(text: str) -> float:
    """A factor, or as fast as it goes."""
    from argparse import ArgumentTypeError

    factor = float("inf") if text == "max" else float(text)
    if not factor > 0:
        raise ArgumentTypeError("must be above 0, or max")
    return factor


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 could not, 2 wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["hook"] and words[1:2] not in (["-h"], ["--help"]):
        _hook(words[1:])
    if words == ["broker"]:
        from aimond.process import broker

        return broker.main()
    import gc
    from importlib import import_module

    gc.disable()  # what is imported stays; to look through it for rubbish again and again takes a tenth of a start
    chosen = parser().parse_args(words)
    if chosen.command == "run":
        from aimond.process import asked

        if line := asked.line():
            line.open()  # systemd starts who answers while the monitor is imported
    command = import_module(f"aimond.commands.{chosen.command}")
    gc.freeze()
    gc.enable()
    status: int = command.run(chosen)
    return status


def _hook(arguments: list[str]) -> None:
    """Become the hook: without the package of the commands, whose D-Bus takes longer to import than a CLI may wait."""
    from importlib.machinery import SourceFileLoader

    loader = SourceFileLoader("hook", __file__.removesuffix("__main__.py") + "commands/hook.py")
    hook = type(sys)("hook")
    loader.exec_module(hook)
    hook.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
