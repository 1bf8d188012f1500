"""``aimond doctor``: whether the CLIs reach the monitor, and what to do where they do not."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from aimond import pricing
from aimond.agents import Registry
from aimond.agents.agent import Agent
from aimond.agents.settings import CliSettings, Configured, Edit, Files, Refused, Wanted
from aimond.bus import client
from aimond.commands import (
    complain,
    doctor_findings,
    doctor_layers,
    doctor_look,
    doctor_processes,
    doctor_report,
    hook,
    settings_file,
    setup,
    setup_plan,
    setup_record,
)
from aimond.commands.doctor_facts import Cli, Facts, Health, Monitor, Process, Severity
from aimond.config import Config, ConfigError, load
from aimond.sections import Prices

PROGRAMS: Final = 3  # of one CLI that are tried; setup installs one


@dataclass(frozen=True, slots=True)
class Told:
    """What the bus tells; ``why`` it tells nothing."""

    why: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    sessions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is the same for all CLIs: ``monitor`` is when that was started, in seconds since boot, 0 if unknown."""

    config: Config
    told: Told
    monitor: float


@complain
def run(arguments: argparse.Namespace) -> int:
    """Print what is found, and what to do. 1: something is wrong."""
    known = setup.find()
    chosen = [known[arguments.cli]] if arguments.cli else list(known.values())
    facts = gather(chosen)
    has_hooks = any(cli.now.hooks for cli in facts.clis)
    findings = {"monitor": doctor_findings.of_monitor(facts.monitor, has_hooks=has_hooks)}
    findings |= {cli.name: doctor_findings.of_cli(facts, cli) for cli in facts.clis}
    if arguments.json:
        print(json.dumps(doctor_report.as_object(facts, findings), indent=2))
    else:
        print("\n".join(doctor_report.lines(facts, findings)))
    return int(any(each.severity is Severity.WRONG for found in findings.values() for each in found))


def gather(chosen: list[CliSettings]) -> Facts:
    """All facts there are about the monitor and these CLIs."""
    wrong = ""
    try:
        config = load()
    except ConfigError as error:
        config, wrong = Config(), str(error)
    told = asyncio.run(_ask())
    ports, pid = doctor_look.ports(config.otlp)
    broker, answers = doctor_look.broker(pid)
    place = hook.place() if config.hooks.socket else ""
    forward = told.properties.get("ForwardHealth", {})
    monitor = Monitor(
        version=str(told.properties.get("Version", "")),
        why=told.why,
        config=wrong,
        refused=str(told.properties.get("ConfigError", "")),
        sessions=len(told.sessions),
        ports=ports,
        socket=place,
        listens=bool(place) and doctor_look.listens(place),
        broker=broker,
        answers=answers,
        forward=str(forward.get("State", "")),
        forward_error=str(forward.get("LastError", "")),
        forward_dropped=int(forward.get("Dropped", 0)),
        **_prices(config.prices),
    )
    seen = Seen(config, told, doctor_processes.started(pid))
    paths = {cli.name: path for cli in chosen if (path := shutil.which(cli.name))}
    with _saying(f"asking {', '.join(paths)} for the version"), ThreadPoolExecutor() as pool:
        versions = dict(zip(paths, pool.map(doctor_look.version, paths.values()), strict=True))
    installed = {name: (path, versions[name]) for name, path in paths.items()}
    clis = tuple(_cli(cli, *installed.get(cli.name, ("", "")), seen) for cli in chosen)
    return Facts(time.time(), monitor, clis)


def _prices(settings: Prices) -> dict[str, str]:
    """How old the table is, and what to do where that is too old. The monitor's is newer where it fetches it."""
    table, now = pricing.Prices(), datetime.now(UTC)
    days = (now.date() - table.dated()).days
    if settings.update:
        return {"prices": f"{table.source()}; the monitor fetches newer ones (prices.update)"}
    return {"prices": f"{table.source()}, {days} {'day' if days == 1 else 'days'} old", "stale": table.stale(now)}


async def _ask() -> Told:
    try:
        async with await client.Monitor.connect() as monitor:
            return Told("", await monitor.properties(), await monitor.sessions())
    except client.NotRunning as error:
        return Told(str(error))
    except client.CallFailed as error:
        return Told(f"the monitor does not answer ({error}); restart the monitor")


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """A hint for people who wait."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"{what} …", end="", file=sys.stderr, flush=True)
    yield
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# -- a CLI ------------------------------------------------------------------------------------------


def _cli(cli: CliSettings, path: str, version: str, seen: Seen) -> Cli:
    agent = Registry().by_name(cli.name)
    found = Cli(cli.name, cli.title, path=path, version=version, files=setup.short(setup.place(cli) / cli.files[0]))
    if agent and not seen.told.why:
        found = replace(found, health=Health.told(seen.told.properties["TelemetryHealth"].get(agent.name, {})))
    wanted = setup.wanted(cli, seen.config)
    try:
        files = _files(cli)
        now = doctor_layers.effective(cli, files, wanted)
    except Refused as refused:
        broken = setup.place(cli) / refused.file
        return replace(found, broken=f"{setup.short(broken)}{f':{refused.line}' if refused.line else ''}: {refused}")
    found = replace(found, **_settings(cli, files, wanted, now))
    if agent:
        found = replace(found, **_processes(cli, agent, files, wanted, now, seen))
    commands = list(dict.fromkeys(command for each in now.hooks.values() for command in each))
    return replace(found, programs=tuple(doctor_look.program(command) for command in commands[:PROGRAMS]))


def _files(cli: CliSettings) -> dict[str, str]:
    texts = {name: settings_file.read(setup.place(cli) / name).text for name in cli.files}
    return {name: text for name, text in texts.items() if text is not None}


def _settings(cli: CliSettings, files: Files, wanted: Wanted, now: Configured) -> dict[str, Any]:
    directory = setup.short(setup.place(cli))
    edit = _edit(cli, wanted)
    return {
        "now": now,
        "after": doctor_layers.effective(cli, {**files, **edit.files}, wanted),
        "would_change": bool(edit.files),
        "left": edit.left,
        "wants_grpc": wanted.speaks_grpc(now.endpoint),
        "set_by": doctor_layers.decided_by(cli, files, wanted, directory),
        "hooks_off": doctor_layers.hooks_off(cli, files, wanted, directory),
    }


def _edit(cli: CliSettings, wanted: Wanted) -> Edit:
    """What `aimond setup` would do now, nothing if it would refuse."""
    if not wanted.http and not wanted.grpc:
        return Edit({})
    try:
        return setup_plan.add(cli, setup.place(cli), wanted).edit
    except Refused as refused:
        return Edit({}, (str(refused),))


# -- its processes ----------------------------------------------------------------------------------


def _processes(
    cli: CliSettings, agent: Agent, files: Files, wanted: Wanted, now: Configured, seen: Seen
) -> dict[str, Any]:
    sessions = [session for session in seen.told.sessions if session["Agent"] == agent.name]
    set_up, uptime = _set_up(cli), doctor_processes.uptime()
    found = []
    for family in doctor_processes.families(agent):
        environment = doctor_processes.environment(family.root)
        process = Process(
            pid=family.root,
            age=round(uptime - family.started, 1),
            session=doctor_processes.session_of(family, sessions),
            before_setup=time.time() - set_up < uptime - family.started,
            before_monitor=family.started < seen.monitor,
            apart=doctor_processes.apart(family.root, environment, cli.variable),
        )
        if now.arrives and not process.apart:
            process = _with_its_own(process, cli, files, replace(wanted, environment=environment))
        found.append(process)
    return {"processes": tuple(found), "placeless": any(not session["Pid"] for session in sessions)}


def _with_its_own(process: Process, cli: CliSettings, files: Files, wanted: Wanted) -> Process:
    """With what its environment says against the settings."""
    told = doctor_layers.effective(cli, files, wanted)
    if told.arrives:
        return process
    names = list(doctor_layers.variables(cli, files, wanted))
    return replace(process, sends_to=doctor_report.endpoint(told), variable=", ".join(names))


def _set_up(cli: CliSettings) -> float:
    """When setup last changed its settings, in seconds since the epoch; 0 if it never did."""
    times = [0.0]
    for name in cli.files:
        with suppress(Refused, OSError):
            record = setup_record.load(settings_file.read(setup.place(cli) / name).real)
            if record:
                times.append(record.backup.with_suffix(".after").stat().st_mtime)
    return max(times)
