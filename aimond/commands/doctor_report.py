"""What ``aimond doctor`` prints: a table and a list for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from aimond.agents.settings import Configured, shown
from aimond.commands import paint
from aimond.commands.doctor_facts import Cli, Facts, Finding, Health, Severity
from aimond.commands.doctor_findings import todos

# By the state whose colour they take.
COLOURS: Final = {Severity.OK: "completed", Severity.NOTE: "quiet", Severity.WRONG: "failed"}

Findings = Mapping[str, list[Finding]]


def lines(facts: Facts, findings: Findings) -> Iterator[str]:
    """For people."""
    titles = {cli.name: cli.title for cli in facts.clis}
    for name, found in findings.items():
        yield titles.get(name, "aimond")
        for finding in found:
            severity = paint(finding.severity.value.ljust(5), COLOURS[finding.severity])
            yield f"  {severity}  {finding.about:<14}  {finding.what}"
    wanted = todos(finding for found in findings.values() for finding in found)
    if wanted:
        yield "To do"
        yield from (f"  {number}. {todo}" for number, todo in enumerate(wanted, 1))
    else:
        yield "Nothing to do"


def as_object(facts: Facts, findings: Findings) -> dict[str, Any]:
    """For programs."""
    monitor = asdict(facts.monitor)
    return {
        "monitor": {"running": facts.monitor.runs, **monitor, "findings": _plain(findings["monitor"])},
        "clis": {cli.name: {**_cli(cli), "findings": _plain(findings[cli.name])} for cli in facts.clis},
        "todo": todos(finding for found in findings.values() for finding in found),
    }


def _cli(cli: Cli) -> dict[str, Any]:
    now, health = cli.now, cli.health or Health()
    return {
        "installed": cli.path or None,
        "version": cli.version or None,
        "configured": cli.is_set_up,
        "endpoint": endpoint(now),
        "protocol": now.protocol,
        "arrives": now.arrives and cli.fits,
        "set_by": list(cli.set_by),
        "hooks": {
            "installed": list(now.hooks),
            "missing": list(now.missing),
            "untrusted": list(now.untrusted),
            "programs": [asdict(program) for program in cli.programs],
            "heard": health.hooks,
            "last": health.last_hook,
        },
        "last_record": health.last_record,
        "records": health.records,
        "unknown_events": health.unknown,
        "processes": [asdict(process) for process in cli.processes],
    }


def endpoint(configured: Configured) -> str:
    """Where it sends, without whatever secrets the address may hold."""
    return shown(configured.endpoint) if configured.endpoint else ""


def _plain(findings: list[Finding]) -> list[dict[str, str]]:
    return [asdict(finding) for finding in findings]
