"""What ``aimond doctor`` makes of the live processes of a CLI. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aimond.commands.doctor_facts import Cli, Facts, Finding, Process, Severity

OK, NOTE, WRONG = Severity.OK, Severity.NOTE, Severity.WRONG
YOUNG: Final = 60.0  # seconds, in which a CLI need not have sent anything


def processes(facts: Facts, cli: Cli) -> Iterator[Finding]:
    """What is to be said of them all, those of one verdict together."""
    for (severity, what), found in _by_verdict(facts, cli).items():
        pids = ", ".join(str(process.pid) for process in found)
        todo = ""
        if severity is WRONG:
            unset = f"unset {found[0].variable} where it is started, and " if found[0].variable else ""
            todo = unset + restart(cli, found)
        yield Finding(severity, "running", f"{what}: pid {pids}", todo)


def _by_verdict(facts: Facts, cli: Cli) -> dict[tuple[Severity, str], list[Process]]:
    verdicts: dict[tuple[Severity, str], list[Process]] = {}
    for process in cli.processes:
        verdicts.setdefault(verdict(facts, cli, process), []).append(process)
    return verdicts


def verdict(facts: Facts, cli: Cli, process: Process) -> tuple[Severity, str]:
    """What is to be said of one process."""
    found = ((severity, what) for applies, severity, what in VERDICTS if applies(facts, cli, process))
    severity, what = next(found)
    return severity, what.format(process=process)


# The first that applies. Idle at its start, each CLI has shown a session within seconds (Claude Code 2.1.330, Codex CLI
# 0.169.0, Gemini CLI 0.61.0); that of Codex CLI has no process before the first prompt.
VERDICTS: Final[tuple[tuple[Callable[[Facts, Cli, Process], bool], Severity, str], ...]] = (
    (lambda _facts, _cli, process: bool(process.session), OK, "seen"),
    (lambda _facts, _cli, process: bool(process.apart), NOTE, "reads other settings, of {process.apart}"),
    (lambda facts, _cli, _process: not facts.monitor.runs, NOTE, "running, and nobody listens"),
    (
        lambda _facts, _cli, process: bool(process.variable),
        WRONG,
        "sends to {process.sends_to}: its {process.variable}",
    ),
    (lambda _facts, cli, _process: not cli.is_set_up, NOTE, "running, and not set up"),
    (lambda _facts, _cli, process: process.before_setup, WRONG, "silent: started before `aimond setup`"),
    (lambda _facts, cli, _process: cli.placeless, NOTE, "perhaps one of the sessions whose process is not known"),
    (lambda _facts, _cli, process: process.age < YOUNG, NOTE, "has sent nothing yet"),
    (lambda _facts, _cli, process: process.before_monitor, NOTE, "has sent nothing since the monitor was started"),
    (lambda _facts, cli, _process: not cli.now.arrives, NOTE, "has told of no hook yet"),
    (lambda _facts, _cli, _process: True, WRONG, "alive but silent"),
)


def restart(cli: Cli, processes: Iterable[Process]) -> str:
    """What to do about them."""
    number = len(list(processes))
    return f"restart the {number} running {cli.title} sessions" if number > 1 else f"restart the running {cli.title}"
