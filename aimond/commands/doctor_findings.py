"""What ``aimond doctor`` makes of the facts: rules, each of which judges one thing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aimond.agents.settings import shown
from aimond.commands.doctor_facts import Cli, Facts, Finding, Holder, Monitor, Severity
from aimond.commands.doctor_verdicts import processes, restart
from aimond.commands.look import span

SLOW: Final = 0.1  # seconds; a CLI waits for its hooks
# Older ones have no hooks; and up to which version the CLI runs them without its user's agreement.
HOOKS_SINCE: Final = {"codex": (0, 124, 0)}
UNASKED: Final = {"codex": (0, 124, 0)}


OK, NOTE, WRONG = Severity.OK, Severity.NOTE, Severity.WRONG
Rule = Callable[[Facts, Cli], Iterator[Finding]]


def of_cli(facts: Facts, cli: Cli) -> list[Finding]:
    """All that is to be said of one CLI."""
    if not (cli.path or cli.is_set_up or cli.broken):
        return [Finding(NOTE, "installed", "not installed, and not set up"), *processes(facts, cli)]
    rules = WHEN_BROKEN if cli.broken else RULES
    return [finding for rule in rules for finding in rule(facts, cli)]


def of_monitor(monitor: Monitor, *, has_hooks: bool) -> list[Finding]:
    """All that is to be said of the monitor."""
    ways_in = [*_ports(monitor), *_socket(monitor, has_hooks=has_hooks)]
    return [*_monitor(monitor), *ways_in, *_broker(monitor), *_forward(monitor), *_prices(monitor)]


def todos(findings: Iterable[Finding]) -> list[str]:
    """What to do, each once."""
    return list(dict.fromkeys(finding.todo for finding in findings if finding.todo))


# -- the monitor ------------------------------------------------------------------------------------


def _monitor(monitor: Monitor) -> Iterator[Finding]:
    if monitor.config:
        yield Finding(WRONG, "config.toml", monitor.config, "mend config.toml: see docs/config.md")
    elif monitor.refused:
        what = f"the monitor could not take it at its last reload: {monitor.refused}"
        yield Finding(WRONG, "config.toml", what, "let the monitor read it again: systemctl --user reload aimond")
    if monitor.runs:
        yield Finding(OK, "monitor", f"aimond {monitor.version} runs, {_count(monitor.sessions, 'session')}")
    else:
        why, _, what = monitor.why.partition("; ")
        todo = what.replace("start it", "start the monitor", 1)
        yield Finding(WRONG, "monitor", why, todo or "aimond run")


def _ports(monitor: Monitor) -> Iterator[Finding]:
    for port in monitor.ports:
        key = f"{'grpc' if port.protocol == 'gRPC' else 'http'}_port"
        name = f"{port.protocol} port {port.number}"
        match port.holder, monitor.runs:
            case Holder.AIMOND, True:
                yield Finding(OK, "listens", name)
            case Holder.AIMOND, False:
                what = f"{name} is held by an aimond on another bus: {port.name or 'of unknown pid'}"
                yield Finding(WRONG, "listens", what, "end that monitor, or start this one on its bus")
            case Holder.OTHER, _:
                what = f"{name} is held by {port.name or 'another program'}, and not by aimond"
                todo = f"end {port.name or 'that program'}, or set `{key}` in config.toml and run `aimond setup` again"
                yield Finding(WRONG, "listens", what, todo)
            case Holder.NOBODY, True:
                what = f"nobody listens at {name}, which config.toml names"
                yield Finding(WRONG, "listens", what, "restart the monitor: it was started with other settings")


def _socket(monitor: Monitor, *, has_hooks: bool) -> Iterator[Finding]:
    if not monitor.socket:
        yield Finding(NOTE, "hook socket", "hooks.socket is false in config.toml: hooks are not listened to")
    elif monitor.listens and monitor.runs:
        yield Finding(OK, "hook socket", monitor.socket)
    elif monitor.runs:
        what = f"nobody listens at {monitor.socket}"
        todo = "restart the monitor: its log tells why it does not listen to hooks"
        yield Finding(WRONG if has_hooks else NOTE, "hook socket", what, todo if has_hooks else "")


def _broker(monitor: Monitor) -> Iterator[Finding]:
    if monitor.answers:
        yield Finding(OK, "processes", f"told by the broker at {monitor.broker}")
    elif monitor.broker:
        what = f"nobody answers at {monitor.broker}: no CLI's process, directory or terminal is found"
        todo = "systemctl --user restart aimond-broker.socket; where there is no such unit: aimond install"
        yield Finding(WRONG, "processes", what, todo)


def _forward(monitor: Monitor) -> Iterator[Finding]:
    if monitor.forward in ("", "off"):
        return
    lost = f"; {_count(monitor.forward_dropped, 'request')} lost since the start" if monitor.forward_dropped else ""
    if monitor.forward == "ok":
        yield Finding(NOTE if lost else OK, "forwards", f"the upstream takes what is sent{lost}")
        return
    what = f"{monitor.forward}: {monitor.forward_error or 'the upstream does not take what is sent'}{lost}"
    is_lost = monitor.forward != "retrying"
    todo = "see to the upstream that `forward.endpoint` in config.toml names: what does not fit its spool is lost"
    yield Finding(WRONG if is_lost else NOTE, "forwards", what, todo if is_lost else "")


def _prices(monitor: Monitor) -> Iterator[Finding]:
    if monitor.stale:
        yield Finding(NOTE, "prices", monitor.stale)
    elif monitor.prices:
        yield Finding(OK, "prices", monitor.prices)


# -- a CLI ------------------------------------------------------------------------------------------


def _installed(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    if cli.path:
        severity, version = (OK, cli.version) if cli.version else (NOTE, "of unknown version")
        yield Finding(severity, "installed", f"{cli.path}, {version}")
    else:
        yield Finding(NOTE, "installed", f"no `{cli.name}` on the PATH")


def _broken(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    yield Finding(WRONG, "settings", cli.broken, f"mend {cli.broken.partition(': ')[0]}")


def _telemetry(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    now = cli.now
    by = f" ({', '.join(cli.set_by)})" if cli.set_by else ""
    to = f"{shown(now.endpoint)}, {now.protocol}{by}"
    if now.arrives and cli.fits and not now.admitted:
        what = f"does not carry the token that the monitor asks for: {to}"
        yield Finding(WRONG, "telemetry", what, _mend(cli, mends=cli.after.admitted))
    elif now.arrives and cli.fits:
        yield Finding(OK, "telemetry", f"on: {to}")
    elif now.arrives:
        port = "gRPC" if cli.wants_grpc else "HTTP"
        what = f"speaks {now.protocol} to the port for {port}: {to}"
        yield Finding(WRONG, "telemetry", what, _mend(cli, mends=cli.after.protocol != now.protocol))
    elif now.enabled and cli.health and cli.health.records:
        yield Finding(NOTE, "telemetry", f"goes to {to}, which is not aimond, and yet it arrives")
    elif now.enabled:
        yield Finding(WRONG, "telemetry", f"goes to {to}, which is not aimond", _mend(cli, mends=cli.after.arrives))
    else:
        left = "" if cli.after.arrives or not cli.left else f": {cli.left[0]}"
        yield Finding(WRONG, "telemetry", f"off{left}", _mend(cli, mends=cli.after.arrives))


def _mend(cli: Cli, *, mends: bool) -> str:
    if mends:
        return f"aimond setup {cli.name}"
    where = " and ".join(cli.set_by) or cli.files
    return f"change that in {where}: `aimond setup {cli.name} --dry-run` tells what is in the way"


def _hooks(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    now, since = cli.now, HOOKS_SINCE.get(cli.name, ())
    if cli.number and cli.number < since:
        yield Finding(NOTE, "hooks", f"this version has none, {'.'.join(map(str, since))} and newer have")
        return
    if cli.hooks_off:
        yield Finding(WRONG, "hooks", f"none runs: {cli.hooks_off}", f"take that out: {cli.hooks_off}")
    if now.hooks:
        yield Finding(OK, "hooks", f"{len(now.hooks)} installed: {', '.join(now.hooks)}")
    if now.missing:
        mends = len(cli.after.missing) < len(now.missing)
        what = f"missing: {', '.join(now.missing)}" if now.hooks else "none installed"
        yield Finding(WRONG if mends else NOTE, "hooks", what, f"aimond setup {cli.name}" if mends else "")
    if now.untrusted and not (cli.number and cli.number <= UNASKED.get(cli.name, ())):
        todo = f"start {cli.title} and trust its hooks: it asks at its start, or at /hooks"
        yield Finding(WRONG, "hooks", f"not trusted yet: {', '.join(now.untrusted)}", todo)
    if now.notify == "other":
        yield Finding(NOTE, "hooks", "notify runs another program, which is left so")


def _programs(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    for program in cli.programs:
        if program.gone:
            what = f"{program.gone} is gone: another installation of aimond had it"
            yield Finding(WRONG, "hook program", what, f"aimond setup {cli.name}")
        elif program.fault:
            todo = f"aimond setup {cli.name}; if that does not help, run it yourself: {program.command}"
            yield Finding(WRONG, "hook program", f"does not work: {program.fault}", todo)
        elif program.seconds > SLOW:
            what = f"takes {program.seconds * 1000:.0f} ms, for which {cli.title} waits each time; 20 to 50 are usual"
            yield Finding(NOTE, "hook program", what)
        else:
            yield Finding(OK, "hook program", f"works, {program.seconds * 1000:.0f} ms")


def _heard(facts: Facts, cli: Cli) -> Iterator[Finding]:
    health = cli.health
    if not facts.monitor.runs or health is None:
        return
    if health.hooks:
        also = " (or notify)" if cli.now.notify == "aimond" else ""
        what = f"{_count(health.hooks, 'hook')}{also}, the last {_ago(facts, health.last_hook)}"
        yield Finding(OK, "heard", what)
    elif cli.now.hooks:
        yield Finding(NOTE, "heard", "no hook since the monitor was started")
    if health.state == "silent":
        what = "hooks tell of a prompt, and no record followed"
        yield Finding(WRONG, "last record", what, restart(cli, cli.processes))
    if health.records:
        what = f"{_ago(facts, health.last_record)}, {health.records} since the monitor was started"
        yield Finding(OK, "last record", what)
    elif health.state != "silent":
        yield Finding(NOTE, "last record", "none since the monitor was started")
    if health.unknown:
        what = f"{health.unknown} of {health.records} records: perhaps of a version newer than aimond knows"
        yield Finding(NOTE, "unknown events", what)


def _setup(_facts: Facts, cli: Cli) -> Iterator[Finding]:
    """Said only where nothing else is: it is no fault."""
    now, after = cli.now, cli.after
    same = (now.arrives, now.protocol, now.missing) == (after.arrives, after.protocol, after.missing)
    if cli.path and cli.is_set_up and cli.would_change and same and not any(each.gone for each in cli.programs):
        yield Finding(NOTE, "setup", f"`aimond setup {cli.name}` would change something: see it with --dry-run")


def _ago(facts: Facts, at: float) -> str:
    return f"{span(facts.now - at)} ago"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


RULES: Final[tuple[Rule, ...]] = (_installed, _telemetry, _hooks, _programs, _heard, processes, _setup)
WHEN_BROKEN: Final[tuple[Rule, ...]] = (_installed, _broken, _heard)
