"""The scenarios, and the run which carries one out and writes down what happened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
from drivers import Cli, Otlp
from otlp_sink import OtlpSink
from terminal import Terminal, default_signals

Json = dict[str, Any]


class ScenarioFailed(Exception):
    """The scenario cannot go on; the problem is noted."""


@dataclass
class Options:
    """What the caller chose."""

    otlp: Otlp | None  # None: the telemetry is configured by the caller (--existing-home)
    out: Path
    home: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    extra_settings: str | None = None
    cli_args: list[str] = field(default_factory=list)
    wait: float | None = None
    timeout: float = 180.0
    linger: float | None = None
    sink: OtlpSink | None = None  # the built-in receiver, if that is used


class Run:
    """One scenario with one CLI: its mock, its processes, its marks."""

    def __init__(self, cli: Cli, scenario: str, options: Options) -> None:
        self.cli, self.scenario, self.options = cli, scenario, options
        self.marks: list[Json] = []
        self.problems: list[str] = []
        self.leftovers: list[str] = []
        self.projects: dict[str, Path] = {}
        self.started = time.time()
        self.seconds = 0.0
        self.lingers = 1.0
        self.interfaces: list[Interactive] = []
        options.out.mkdir(parents=True, exist_ok=True)
        for pattern in ("truth.json", "*.stdout.txt", "*.stderr.txt", "*.tty", "*.screens.txt", "otlp/*-*.*"):
            for old in options.out.glob(pattern):  # of an earlier run
                old.unlink()
        self._events = (options.out / "events.jsonl").open("w", buffering=1)
        self.mock = cli.mock(self._row_event)
        self._watch = processes.ConnectionWatch()
        self.env: dict[str, str] = {}

    # -- notes ------------------------------------------------------------------------------------

    def mark(self, what: str, **fields: Any) -> None:
        """Note something the driver did or saw."""
        entry = {"time_ns": time.time_ns(), "mark": what, **fields}
        self.marks.append(entry)
        self._events.write(json.dumps(entry) + "\n")

    def _row_event(self, what: str, row: Json) -> None:
        self._events.write(json.dumps({"time_ns": time.time_ns(), "api": what, **row}) + "\n")

    def check(self, ok: bool, problem: str) -> bool:
        if not ok:
            self.problems.append(problem)
        return ok

    def require(self, ok: bool, problem: str) -> None:
        if not self.check(ok, problem):
            raise ScenarioFailed(problem)

    def rows(self, **wanted: Any) -> list[Json]:
        """Ledger rows with these values; `step` matches by the kind of step."""
        step = wanted.pop("step", None)
        return [
            row
            for row in self.mock.rows
            if all(row.get(k) == v for k, v in wanted.items()) and (step is None or row["step"].split(":")[0] == step)
        ]

    async def until(self, condition: Callable[[], Any], timeout: float) -> bool:
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    def wait_s(self, default: float) -> float:
        return default if self.options.wait is None else self.options.wait

    # -- life of the run --------------------------------------------------------------------------

    async def execute(self) -> Json:
        """Carry the scenario out; returns the truth, which is also in OUT/truth.json."""
        begin = time.monotonic()
        watcher = asyncio.create_task(self._watch.run())
        try:
            await self.mock.start()
            spec = SCENARIOS[self.scenario]
            home = self.options.home
            self.projects = {
                label: home / ("project" if label == "main" else f"project-{label}") for label in spec.labels
            }
            for project in self.projects.values():
                project.mkdir(parents=True, exist_ok=True)
            self.cli.configure(
                home, self.mock.url, list(self.projects.values()), self.options.otlp, self.options.extra_settings
            )
            self.env = {**self.cli.environment(home, self.mock.url), **self.options.env}
            try:
                async with asyncio.timeout(self.options.timeout):
                    await spec.play(self)
            except ScenarioFailed:
                self.mark("failed")
            except asyncio.CancelledError:
                self.problems.append("stopped")
                raise
            except TimeoutError:
                self.mark("timeout")
                self.problems.append(f"not finished after {self.options.timeout:g} s")
            self.seconds = time.monotonic() - begin
            await asyncio.sleep(self.lingers if self.options.linger is None else self.options.linger)
        finally:
            watcher.cancel()
            for interface in self.interfaces:
                interface.shot("end")
            for pid, line in await processes.end_all():
                self.leftovers.append(line)
                self.mark("leftover_ended", pid=pid, command=line[:200])
            await self.mock.stop()
            truth = self._truth()
            (self.options.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
            self._events.close()
        return truth

    def _truth(self) -> Json:
        sessions = []
        for session in self.cli.sessions(self.options.home, self.started):
            label = next((name for name, path in self.projects.items() if str(path) == session.cwd), None)
            sessions.append({"label": label, **session.__dict__})
        usage: Counter[str] = Counter()
        for row in self.rows(outcome="completed"):
            usage.update(flatten(row["usage"] or {}))
        self.check(not self._watch.outside, f"talked to {sorted(self._watch.outside)}")
        outcomes = Counter(row["outcome"] for row in self.mock.rows)
        return {
            "cli": self.cli.name,
            "version": self.cli.version,
            "scenario": self.scenario,
            "result": "ok" if not self.problems else "failed",
            "problems": self.problems,
            "started_ns": int(self.started * 1e9),
            "seconds": round(self.seconds, 2),
            "home": str(self.options.home),
            "otlp": self.options.otlp and self.options.otlp.__dict__,
            "otlp_requests": self.options.sink and dict(self.options.sink.counts),
            "sessions": sessions,
            "requests": self.mock.rows,
            "marks": self.marks,
            "totals": {"requests": len(self.mock.rows), **outcomes, "usage": dict(usage)},
            "other_paths": dict(self.mock.other_paths),
            "outside_connections": sorted(self._watch.outside),
            "leftovers": self.leftovers,
        }

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
                preexec_fn=default_signals,
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


def flatten(usage: Json, prefix: str = "") -> dict[str, int]:
    """Numeric fields of a nested dictionary, with dotted names."""
    flat: dict[str, int] = {}
    for key, value in usage.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            flat[prefix + key] = value
    return flat
