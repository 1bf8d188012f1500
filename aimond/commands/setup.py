"""``aimond setup``: points the CLIs at aimond by their own settings, and takes that back."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import unified_diff
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

import aimond.agents
from aimond.agents.settings import CliSettings, Refused, Wanted
from aimond.commands import complain, hook, paint, settings_file, setup_plan, setup_token
from aimond.commands.setup_plan import Change, Plan
from aimond.config import Config, ConfigError, load, secret
from aimond.sections import Otlp

# A diff's lines, by the state whose colour they take.
COLOURS: Final = {"+": "completed", "-": "failed", "@": "quiet"}


@complain
def run(arguments: argparse.Namespace) -> int:
    """Change the settings of the CLIs chosen. 1: some were refused, the others are done; 2: config.toml is wrong."""
    try:
        if arguments.token and not arguments.remove:
            print(setup_token.make(dry=arguments.dry_run))
        config = load()
        token = secret(config.otlp)
    except ConfigError as error:
        return _fail(str(error), 2)
    if not arguments.remove and not any(endpoints(config.otlp)):
        return _fail("config.toml leaves no fixed port on loopback for telemetry to go to: see [otlp]")
    clis = chosen(arguments.cli)
    if not clis:
        print("no CLI found; name one to set it up before it is installed: aimond setup claude")
    return max([0, *(_one(cli, config, token, remove=arguments.remove, dry=arguments.dry_run) for cli in clis)])


def _one(cli: CliSettings, config: Config, token: str, *, remove: bool, dry: bool) -> int:
    directory = place(cli)
    try:
        plan = (setup_plan.remove if remove else setup_plan.add)(cli, directory, wanted(cli, config))
        _show(cli, plan, token)
        if not dry:
            setup_plan.carry_out(plan)
    except Refused as refused:
        line = f"{refused.line}: " if refused.line else " "
        return _fail(f"{cli.title}: {directory / refused.file}:{line}{refused}")
    except OSError as error:
        return _fail(f"{cli.title}: {error}")
    if not remove:
        _conclude(cli, plan, dry=dry, listens=config.hooks.socket)
    return 0


# -- what is chosen ---------------------------------------------------------------------------------


def find() -> dict[str, CliSettings]:
    """The settings of every CLI that has some, by its word on the command line."""
    folders = sorted(info.name for info in iter_modules(aimond.agents.__path__) if info.ispkg)
    modules = [f"aimond.agents.{folder}.settings" for folder in folders]
    found: list[CliSettings] = [import_module(name).SETTINGS for name in modules if find_spec(name)]
    return {settings.name: settings for settings in found}


def chosen(name: str | None) -> list[CliSettings]:
    """The CLIs of that name; those that are installed where none is given."""
    known = find()
    if name == "all":
        return list(known.values())
    return [known[name]] if name else [cli for cli in known.values() if shutil.which(cli.name) or place(cli).is_dir()]


def place(cli: CliSettings) -> Path:
    """The directory of a CLI's settings."""
    moved = os.environ.get(cli.variable)
    return (Path(moved).absolute() / cli.below) if moved else Path.home() / cli.home


# -- what is wanted ---------------------------------------------------------------------------------


def endpoints(otlp: Otlp) -> tuple[str, str]:
    """Where aimond receives by HTTP and by gRPC, "" where it does not, or not at a port that is known."""
    receivers = ((otlp.http, otlp.http_port), (otlp.grpc, otlp.grpc_port))
    host = next((each for each in otlp.bind if ip_address(each).is_loopback), "")
    name = f"[{host}]" if ":" in host else host
    http, grpc = (f"http://{name}:{port}" if is_on and port and host else "" for is_on, port in receivers)
    return http, grpc


def wanted(cli: CliSettings, config: Config) -> Wanted:
    """What its settings shall say, but for the past. Raises ConfigError."""
    http, grpc = endpoints(config.otlp)
    program = (sys.executable, "-I", "-S", str(Path(hook.__file__).absolute()), cli.name)
    return Wanted(http, grpc, program, dict(os.environ), _others(cli), _version(cli), token=secret(config.otlp))


def _others(cli: CliSettings) -> dict[str, str]:
    """The texts of files that it reads too, by their path; those that cannot be read say nothing."""
    texts: dict[str, str] = {}
    directory = place(cli)
    for template in cli.others:
        path = Path(template.format(base=directory.parent, cwd=Path.cwd()))
        with suppress(Refused, OSError):
            text = settings_file.read(path).text
            if text is not None and path not in [directory / name for name in cli.files]:
                texts[str(path)] = text
    return texts


def _version(cli: CliSettings) -> tuple[int, ...]:
    """The version that is installed, where it matters; () where it is not known."""
    program = shutil.which(cli.name) if cli.versioned else None
    if program is None:
        return ()
    try:
        told = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    number = re.search(rb"\b(\d+)\.(\d+)\.(\d+)\b", told)
    return tuple(int(each) for each in number.groups()) if number else ()


# -- what is said -----------------------------------------------------------------------------------


def _show(cli: CliSettings, plan: Plan, token: str) -> None:
    print(cli.title if plan.changes else f"{cli.title}: nothing to do")
    for change in plan.changes:
        for line in _diff(change):
            print(paint(setup_token.hidden(line, token), COLOURS.get(line[:1], "")))
    for line in plan.edit.left:
        print(f"  {line}")


def _conclude(cli: CliSettings, plan: Plan, *, dry: bool, listens: bool) -> None:
    kept = [change.record for change in plan.changes if change.record and change.record.before is not None]
    lines = [] if dry else [f"backup: {short(record.backup)}" for record in kept]
    lines += [f"next: {each}" for each in plan.edit.todo]
    lines += [] if dry else [*setup_token.exposed(change.file.real for change in plan.changes)]
    lines += cli.tells if plan.changes else ()
    if not listens:
        lines.append("hooks.socket is false in config.toml: aimond does not listen to hooks")
    for line in lines:
        print(f"  {line}")


def _diff(change: Change) -> Iterator[str]:
    old, new = (change.file.content or b"").decode(errors="replace"), (change.content or b"").decode(errors="replace")
    name = short(change.file.path)
    names = ("/dev/null" if change.file.content is None else name), ("/dev/null" if change.content is None else name)
    for line in unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), *names):
        yield line.rstrip("\r\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def short(path: Path) -> str:
    """A path as a user writes it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _fail(message: str, status: int = 1) -> int:
    print(f"aimond: {message}", file=sys.stderr)
    return status
