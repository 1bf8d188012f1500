#!/usr/bin/env python3
"""Runs the real Claude Code, Codex CLI and Gemini CLI against mock model APIs, for end-to-end tests."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import processes  # noqa: E402
from drivers import CLIS, Cli, Otlp  # noqa: E402
from otlp_sink import OtlpSink  # noqa: E402
from scenarios import SCENARIOS, Json, Options, Run  # noqa: E402


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realcli"


def install(cli: Cli, cache: Path) -> bool:
    """Install the pinned version unless it is there; prints what the CLI says its version is."""
    state = "present"
    if not cli.installed(cache):
        state = "installed"
        directory = cli.directory(cache)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text('{"private": true}\n')
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", f"{cli.package}@{cli.version}"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not cli.installed(cache):
            print(f"{cli.name}: npm install failed", file=sys.stderr)
            return False
    with tempfile.TemporaryDirectory(prefix="realcli-") as home:
        said = subprocess.run(
            [cli.executable(cache), "--version"],
            env=cli.environment(Path(home), "http://127.0.0.1:9"),
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    print(f"{cli.name} {cli.package}@{cli.version} {state}: {said.stdout.strip() or said.stderr.strip()[-200:]}")
    return said.returncode == 0


def summary(truth: Json) -> str:
    totals = truth["totals"]
    parts = [f"{truth['cli']} {truth['scenario']}: {truth['result']}", f"{truth['seconds']:.1f} s"]
    if (received := truth["otlp_requests"]) is not None:
        names = ["logs", "traces", "metrics", *(["unknown"] if "unknown" in received else [])]
        parts.append("otlp requests " + " ".join(f"{name}={received.get(name, 0)}" for name in names))
    parts.append("api requests " + " ".join(f"{key}={value}" for key, value in totals.items() if key != "usage"))
    parts.append("usage " + " ".join(f"{key}={value}" for key, value in totals["usage"].items() if "." not in key))
    parts += truth["problems"]
    return "; ".join(parts)


async def run_one(cli: Cli, scenario: str, options: Options) -> int:
    """Run a scenario; a Ctrl-C or SIGTERM still cleans up."""
    if options.otlp and options.otlp.http == "sink":
        options.sink = OtlpSink(options.out / "otlp")
        options.otlp = Otlp(await options.sink.start(), "", options.otlp.json)
    task = asyncio.ensure_future(Run(cli, scenario, options).execute())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        truth = await task
    finally:
        if options.sink:
            await options.sink.stop()
    print(summary(truth), flush=True)
    return 0 if truth["result"] == "ok" else 1


def command_install(args: argparse.Namespace) -> int:
    done = [install(CLIS[name], args.cache) for name in args.cli or CLIS]
    return 0 if all(done) else 1


def command_run(args: argparse.Namespace) -> int:
    cli = CLIS[args.cli]
    if not cli.installed(args.cache):
        print(f"{cli.name} is not installed in {args.cache}: realcli install {cli.name}", file=sys.stderr)
        return 2
    if not (args.otlp or args.grpc or args.existing_home):
        print("give --otlp URL, --otlp sink or --grpc HOST:PORT (or --existing-home)", file=sys.stderr)
        return 2
    processes.become_subreaper()
    home = args.existing_home or args.home
    temporary = home is None
    # not below /tmp, where some CLIs behave differently
    home = Path(tempfile.mkdtemp(prefix="home-", dir=args.cache)) if home is None else home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    out = args.out or Path("realcli-out") / f"{cli.name}-{args.scenario}"
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
        return asyncio.run(run_one(cli, args.scenario, options))
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr)
        return 130
    finally:
        if temporary:
            shutil.rmtree(home, ignore_errors=True)


def command_selftest(args: argparse.Namespace) -> int:
    """The `text` scenario of each CLI against the built-in sink."""
    codes = []
    for name in args.cli or CLIS:
        with tempfile.TemporaryDirectory(prefix="realcli-out-") as out:
            codes.append(
                subprocess.run(
                    [
                        sys.executable,
                        __file__,
                        "run",
                        name,
                        "text",
                        "--otlp",
                        "sink",
                        "--out",
                        out,
                        "--cache",
                        str(args.cache),
                    ],
                    check=False,
                ).returncode
            )
            truth = Path(out) / "truth.json"
            if truth.exists() and not json.loads(truth.read_text())["otlp_requests"].get("logs"):
                print(f"{name}: no logs were received")
                codes.append(1)
    return max(codes)


def command_list(_args: argparse.Namespace) -> int:
    for name, scenario in SCENARIOS.items():
        print(f"{name:18} {scenario.summary}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="realcli", description=__doc__)
    parser.set_defaults(cache=default_cache())
    commands = parser.add_subparsers(dest="command", required=True)
    cache = argparse.ArgumentParser(add_help=False)
    cache.add_argument(
        "--cache",
        type=lambda path: Path(path).resolve(),
        default=default_cache(),
        metavar="DIR",
        help="where the CLIs are installed",
    )

    sub = commands.add_parser("install", parents=[cache], help="install the pinned versions with npm")
    sub.add_argument("cli", nargs="*", choices=[*CLIS, []], metavar="CLI", help="claude, codex, gemini (default: all)")
    sub.set_defaults(function=command_install)

    sub = commands.add_parser("selftest", parents=[cache], help="`text` with each CLI against a built-in OTLP receiver")
    sub.add_argument("cli", nargs="*", choices=[*CLIS, []], metavar="CLI")
    sub.set_defaults(function=command_selftest)

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
    homes.add_argument(
        "--existing-home",
        type=Path,
        metavar="DIR",
        help="HOME whose telemetry settings are prepared; only the mock is added",
    )
    sub.add_argument("--env", action="append", default=[], metavar="K=V", help="more environment for the CLI")
    sub.add_argument(
        "--extra-settings", type=Path, metavar="FILE", help="settings to merge: JSON (claude, gemini) or TOML (codex)"
    )
    sub.add_argument("--cli-arg", action="append", default=[], metavar="ARG", help="one more argument for the CLI")
    sub.add_argument("--wait", type=float, metavar="S", help="the scenario's waiting time")
    sub.add_argument("--linger", type=float, metavar="S", help="time between the end and the clean-up")
    sub.add_argument("--timeout", type=float, default=180.0, metavar="S")
    sub.set_defaults(function=command_run)

    args = parser.parse_args()
    return int(args.function(args))


if __name__ == "__main__":
    sys.exit(main())
