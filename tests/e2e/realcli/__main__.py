"""Runs the real Claude Code, Codex CLI and Gemini CLI against mocks of their model APIs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.realcli import processes
from tests.e2e.realcli.cli import Otlp
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.realcli.otlp_sink import OtlpSink
from tests.e2e.realcli.run import Options, Run
from tests.e2e.realcli.scenarios import SCENARIOS
from tests.e2e.realcli.settings import Json


def command_install(args: argparse.Namespace) -> int:
    """Exit status: 0 all are there, 1 npm could not."""
    for name in args.cli or CLIS:
        cli = CLIS[name]
        if not install(cli, args.cache):
            print(f"{name}: npm could not install {cli.package}@{cli.version}", file=sys.stderr)
            return 1
        print(f"{name}: {cli.package}@{cli.version} in {cli.directory(args.cache)}")
    return 0


def command_list(_args: argparse.Namespace) -> int:
    """The scenarios, a line each."""
    for name, scenario in SCENARIOS.items():
        print(f"{name:18} {scenario.summary}")
    return 0


def command_run(args: argparse.Namespace) -> int:
    """Exit status: 0 everything went as the scenario says, 1 not, 2 wrong usage, 130 stopped."""
    cli = CLIS[args.cli]
    if not cli.installed(args.cache):
        print(f"{cli.name} is not installed in {args.cache}: install {cli.name}", file=sys.stderr)
        return 2
    if not (args.otlp or args.grpc or args.existing_home):
        print("give --otlp URL, --otlp sink or --grpc HOST:PORT (or --existing-home)", file=sys.stderr)
        return 2
    processes.become_subreaper()
    out = args.out or Path("realcli-out") / f"{cli.name}-{args.scenario}"
    with home_of(args) as home:
        options = Options(
            otlp=None if args.existing_home else Otlp((args.otlp or "").rstrip("/"), args.grpc or "", args.json),
            out=out.resolve(),
            home=home,
            cache=args.cache,
            env=dict(pair.split("=", 1) for pair in args.env),
            extra_settings=args.extra_settings.read_text() if args.extra_settings else None,
            cli_args=args.cli_arg,
            wait=args.wait,
            timeout=args.timeout,
            linger=args.linger,
        )
        try:
            truth = asyncio.run(run(args.cli, args.scenario, options))
        except asyncio.CancelledError:
            print("stopped", file=sys.stderr)
            return 130
    print(summary(truth), flush=True)
    return 0 if truth["result"] == "ok" else 1


@contextlib.contextmanager
def home_of(args: argparse.Namespace) -> Iterator[Path]:
    """The HOME that was chosen, or a temporary one: not below /tmp, where some CLIs behave differently."""
    chosen: Path | None = args.existing_home or args.home
    if chosen:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="home-", dir=args.cache, ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


async def run(cli: str, scenario: str, options: Options) -> Json:
    """Run a scenario and return the truth; a Ctrl-C or SIGTERM still cleans up."""
    if options.otlp and options.otlp.http == "sink":
        options.sink = OtlpSink(options.out / "otlp")
        options.otlp = Otlp(await options.sink.start(), "", options.otlp.json)
    spec = SCENARIOS[scenario]
    task = asyncio.ensure_future(Run(CLIS[cli], scenario, spec.labels, options).execute(spec.play))
    for number in (signal.SIGINT, signal.SIGTERM):  # a second one must not stop the clean-up
        asyncio.get_running_loop().add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    try:
        return await task
    finally:
        if options.sink:
            await options.sink.stop()


def summary(truth: Json) -> str:
    """A run in one line."""
    totals = truth["totals"]
    parts = [f"{truth['cli']} {truth['scenario']}: {truth['result']}", f"{truth['seconds']:.1f} s"]
    for name, counts in (
        ("otlp requests", truth["otlp_requests"]),
        ("api requests", totals),
        ("usage", totals["usage"]),
    ):
        numbers = {key: value for key, value in (counts or {}).items() if isinstance(value, int) and "." not in key}
        if numbers:
            parts.append(f"{name} " + " ".join(f"{key}={value}" for key, value in numbers.items()))
    return "; ".join([*parts, *truth["problems"]])


def resolved(path: str) -> Path:
    return Path(path).resolve()


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(prog="python -m tests.e2e.realcli", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    cache = argparse.ArgumentParser(add_help=False)
    cache.add_argument(
        "--cache", type=Path, default=default_cache(), metavar="DIR", help="where the CLIs are installed"
    )

    sub = commands.add_parser("install", parents=[cache], help="install the pinned versions with npm")
    sub.add_argument("cli", nargs="*", choices=[*CLIS, []], metavar="CLI", help="claude, codex, gemini (default: all)")
    sub.set_defaults(function=command_install)

    sub = commands.add_parser("list", help="list the scenarios")
    sub.set_defaults(function=command_list)

    sub = commands.add_parser("run", parents=[cache], help="run a scenario")
    sub.add_argument("cli", choices=CLIS)
    sub.add_argument("scenario", choices=SCENARIOS, metavar="SCENARIO")
    sub.add_argument("--otlp", metavar="URL", help="OTLP/HTTP base URL; `sink`: built-in, bodies go to OUT/otlp")
    sub.add_argument("--grpc", metavar="HOST:PORT", help="send the telemetry by OTLP/gRPC to there instead")
    sub.add_argument("--json", action="store_true", help="OTLP/JSON instead of protobuf (Gemini CLI: always JSON)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="for truth.json and output (realcli-out/CLI-SCENARIO)")
    homes = sub.add_mutually_exclusive_group()
    homes.add_argument("--home", type=Path, metavar="DIR", help="HOME of the CLI, kept (default: a temporary one)")
    homes.add_argument("--existing-home", type=Path, metavar="DIR", help="a HOME with telemetry settings, as set up")
    sub.add_argument("--env", action="append", default=[], metavar="K=V", help="more environment for the CLI")
    sub.add_argument(
        "--extra-settings", type=Path, metavar="FILE", help="merged in: JSON (claude, gemini), TOML (codex)"
    )
    sub.add_argument("--cli-arg", action="append", default=[], metavar="ARG", help="one more argument for the CLI")
    sub.add_argument("--wait", type=float, metavar="S", help="the scenario's waiting time")
    sub.add_argument("--linger", type=float, metavar="S", help="time between the end and the clean-up")
    sub.add_argument("--timeout", type=float, default=180.0, metavar="S")
    sub.set_defaults(function=command_run)
    return top


def main() -> int:
    """Run one command."""
    args = parser().parse_args()
    return int(args.function(args))


if __name__ == "__main__":
    sys.exit(main())
