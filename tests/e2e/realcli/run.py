"""One run of a scenario: its mock, its processes, and what it writes down of what happened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.realcli import processes
from tests.e2e.realcli.cli import Cli, Otlp
from tests.e2e.realcli.otlp_sink import OtlpSink
from tests.e2e.realcli.settings import Json
from tests.e2e.realcli.truth import truth_of

OUTPUTS = ("truth.json", "*.stdout.txt", "*.stderr.txt", "*.tty", "*.screens.txt", "otlp/*-*.*")


class ScenarioError(Exception):
    """The scenario cannot go on; the problem is noted."""


@dataclass
class Options:
    """What the caller chose. Without ``otlp`` the telemetry is configured by the caller (--existing-home)."""

    otlp: Otlp | None
    out: Path
    home: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    extra_settings: str | None = None
    cli_args: list[str] = field(default_factory=list)
    wait: float | None = None
    timeout: float = 180.0
    linger: float | None = None
    sink: OtlpSink | None = None


class Run:
    """One scenario with one CLI. ``labels``: a project directory for each of its sessions."""

    def __init__(self, cli: Cli, scenario: str, labels: tuple[str, ...], options: Options) -> None:
        self.cli, self.scenario, self.options = cli, scenario, options
        self.marks: list[Json] = []
        self.problems: list[str] = []
        self.leftovers: list[str] = []
        self.projects = {
            label: options.home / ("project" if label == "main" else f"project-{label}") for label in labels
        }
        self.started = time.time()
        self.seconds = 0.0
        self.lingers = 1.0
        self.at_end: list[Callable[[], None]] = []
        options.out.mkdir(parents=True, exist_ok=True)
        for pattern in OUTPUTS:
            for old in options.out.glob(pattern):  # of an earlier run
                old.unlink()
        self._events = (options.out / "events.jsonl").open("w", buffering=1)
        self.mock = cli.mock(self._row_event)
        self.watch = processes.ConnectionWatch()
        self.env: dict[str, str] = {}

    # -- notes --------------------------------------------------------------------------------------

    def mark(self, what: str, **fields: Any) -> None:
        """Note something the driver did or saw."""
        entry = {"time_ns": time.time_ns(), "mark": what, **fields}
        self.marks.append(entry)
        self._events.write(json.dumps(entry) + "\n")

    def _row_event(self, what: str, row: Json) -> None:
        self._events.write(json.dumps({"time_ns": time.time_ns(), "api": what, **row}) + "\n")

    def check(self, ok: bool, problem: str) -> bool:
        """Note a problem unless all is well."""
        if not ok:
            self.problems.append(problem)
        return ok

    def require(self, ok: bool, problem: str) -> None:
        """Note a problem and give up unless all is well."""
        if not self.check(ok, problem):
            raise ScenarioError(problem)

    def rows(self, **wanted: Any) -> list[Json]:
        """Ledger rows with these values; ``step`` matches by the kind of step."""
        step = wanted.pop("step", None)
        return [
            row
            for row in self.mock.rows
            if all(row.get(key) == value for key, value in wanted.items())
            and (step is None or row["step"].split(":")[0] == step)
        ]

    async def until(self, condition: Callable[[], Any], within: float) -> bool:
        """Wait for a condition; false if it does not hold within that many seconds."""
        end = time.monotonic() + within
        while not condition():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    def wait_s(self, default: float) -> float:
        """The scenario's waiting time in seconds."""
        return default if self.options.wait is None else self.options.wait

    # -- life of the run ----------------------------------------------------------------------------

    async def execute(self, play: Callable[[Run], Awaitable[None]]) -> Json:
        """Carry the scenario out; returns the truth, which is also in OUT/truth.json."""
        begin = time.monotonic()
        watcher = asyncio.create_task(self.watch.run())
        try:
            await self._prepare()
            await self._play(play)
            self.seconds = time.monotonic() - begin
            await asyncio.sleep(self.lingers if self.options.linger is None else self.options.linger)
        finally:
            watcher.cancel()
            truth = await self._clean_up()
        return truth

    async def _prepare(self) -> None:
        await self.mock.start()
        home, options = self.options.home, self.options
        for project in self.projects.values():
            project.mkdir(parents=True, exist_ok=True)
        projects = list(self.projects.values())
        self.cli.configure(home, self.mock.url, projects, options.otlp, options.extra_settings)
        self.env = {**self.cli.environment(home, self.mock.url), **options.env}

    async def _play(self, play: Callable[[Run], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self.options.timeout):
                await play(self)
        except ScenarioError:
            self.mark("failed")
        except asyncio.CancelledError:
            self.problems.append("stopped")
            raise
        except TimeoutError:
            self.mark("timeout")
            self.problems.append(f"not finished after {self.options.timeout:g} s")

    async def _clean_up(self) -> Json:
        for last in self.at_end:
            last()
        for pid, line in await processes.end_all():
            self.leftovers.append(line)
            self.mark("leftover_ended", pid=pid, command=line[:200])
        await self.mock.stop()
        truth = truth_of(self)
        (self.options.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
        self._events.close()
        return truth

    # -- without a terminal -----------------------------------------------------------------------

    def argv(self, args: list[str]) -> list[str]:
        return [str(self.cli.executable(self.options.cache)), *args, *self.options.cli_args]

    async def spawn(self, prompt: str, label: str = "main", **how: bool) -> asyncio.subprocess.Process:
        """Start the CLI with one prompt."""
        args = self.argv(self.cli.headless(prompt, **how))
        out = self.options.out
        self.mark("prompt", label=label, text=prompt)
        with (out / f"{label}.stdout.txt").open("ab") as stdout, (out / f"{label}.stderr.txt").open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *args,
                env=self.env,
                cwd=self.projects[label],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=processes.default_signals,
            )
        self.mark("spawn", label=label, pid=process.pid, argv=args[1:])
        return process

    async def finish(self, process: asyncio.subprocess.Process, label: str = "main") -> int:
        """Wait for the end of a process."""
        code = await process.wait()
        self.mark(
            "exit",
            label=label,
            pid=process.pid,
            code=code if code >= 0 else None,
            signal=signal.Signals(-code).name if code < 0 else None,
        )
        return code

    async def ask(self, prompt: str, label: str = "main", **how: bool) -> int:
        """Start the CLI with one prompt and wait for its end."""
        return await self.finish(await self.spawn(prompt, label, **how), label)

    async def signal_while_streaming(self, number: signal.Signals) -> None:
        """Send a signal to the CLI's process group in the middle of an answer."""
        process = await self.spawn("Tell me a long story [[slow:60]]")
        streams = await self.until(lambda: any(row["first_chunk_ns"] for row in self.rows(step="slow")), 60)
        if self.check(streams, "no answer began"):
            await asyncio.sleep(self.wait_s(2))
        self.mark("signal", label="main", signal=number.name, pid=process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        await self.finish(process)
        aborted = await self.until(lambda: self.rows(step="slow", outcome="aborted"), 5)
        self.check(aborted, "the request was not aborted")
