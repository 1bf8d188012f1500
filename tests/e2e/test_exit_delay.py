"""How long the real CLIs take until they have exited: with aimond running, stopped and hung, against telemetry off.

Set up by `aimond setup`, hooks included, each has one prompt answered; the answer takes 2 s, as short ones of real
models do. The conditions take turns, so that a machine that is busy for a while is so for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.monitor import CONFIG, Live, live
from tests.e2e.places import Place, Report, having, installed, place, until
from tests.e2e.realcli import processes
from tests.e2e.realcli.clis import CLIS
from tests.e2e.scenes import AGENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")
each_cli = pytest.mark.parametrize("cli", AGENTS)

TIMES = int(os.environ.get("EXIT_DELAY_TIMES", "1"))  # more of them for a better table; one takes 3 to 4 minutes
ROUNDS = {"off": 5 * TIMES, "running": 5 * TIMES, "stopped": 3 * TIMES, "hung": 2 * TIMES}
PROMPT = "Say hi [[slow:2]]"
NOISE = 1.1
# Seconds between the end of the answer and the exit, at most. Where aimond hangs they are timeouts of the CLIs' own
# (2.1.330, 0.169.0, 0.61.0): 1 s, as set up; 5 s and 20 s for logs and spans; 10 s.
AT_MOST = {
    "running": dict.fromkeys(AGENTS, 1.0),
    "stopped": dict.fromkeys(AGENTS, 1.0),
    "hung": {"claude": 2.0, "codex": 27.0, "gemini": 12.0},
}


@dataclass(frozen=True)
class Run:
    """Seconds from the start to the exit, and from the end of the answer to the exit."""

    whole: float
    after: float


@dataclass
class Stopwatch:
    """Runs CLIs in their ``places``, by CLI and condition, and keeps how long that took."""

    monitor: Live
    places: dict[tuple[str, str], Place]
    log: Path
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    async def run(self, cli: str, condition: str, prompt: str = PROMPT) -> Run:
        """One run, not yet kept."""
        here = self.places[cli, condition]
        with self.log.open("ab") as log:
            begin = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *here.argv(*here.cli.headless(prompt)),
                env=here.env,
                cwd=here.directory("project"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.default_signals,
            )
            code = await process.wait()
            whole, exited = time.monotonic() - begin, time.time_ns()
        assert code == 0, self.log.read_text()[-4000:]
        answered = max(row["end_ns"] for row in here.mock.rows if row["kind"] == "main")
        return Run(whole, (exited - answered) / 1e9)

    async def measure(self, clis: list[str], rounds: dict[str, int]) -> None:
        """Run these CLIs so often under each condition."""
        for number in range(max(rounds.values())):
            conditions = [condition for condition in rounds if number < rounds[condition]]
            for condition in conditions[number % 2 :] + conditions[: number % 2]:
                if condition == "hung":  # they do little but wait, and may do so together
                    with hanging(self.monitor):
                        await asyncio.gather(*(self._keep(cli, condition) for cli in clis))
                else:
                    for cli in clis:
                        await self._keep(cli, condition)
                        await asyncio.sleep(0.3)  # children of its own may still have to end

    async def _keep(self, cli: str, condition: str) -> None:
        self.runs.setdefault((cli, condition), []).append(await self.run(cli, condition))

    def median(self, cli: str, condition: str) -> float:
        return statistics.median(run.whole for run in self.runs[cli, condition])

    def after(self, cli: str, condition: str) -> float:
        return statistics.median(run.after for run in self.runs[cli, condition])

    def ratio(self, cli: str, condition: str) -> float:
        """How much longer it takes than with telemetry off."""
        return self.median(cli, condition) / self.median(cli, "off")

    def lines(self) -> Iterator[str]:
        """A line for each CLI and condition."""
        yield f"{'':17} {'runs':>4} {'median s':>9} {'from … to':>15} {'ratio':>6} {'after the answer s':>19}"
        for cli, condition in self.places:
            runs = self.runs[cli, condition]
            spread = f"{min(run.whole for run in runs):.2f} … {max(run.whole for run in runs):.2f}"
            figures = f"{self.median(cli, condition):9.2f} {spread:>15} {self.ratio(cli, condition):6.2f}"
            yield f"{cli:8} {condition:8} {len(runs):4} {figures} {self.after(cli, condition):19.2f}"


@contextlib.contextmanager
def hanging(monitor: Live) -> Iterator[None]:
    """An aimond that takes connections, as its system does that for it, and does nothing else."""
    (pid,) = (
        pid
        for pid in having("XDG_CONFIG_HOME", monitor.places["XDG_CONFIG_HOME"])
        if processes.command_line(pid).endswith("aimond run")
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def nowhere(directory: Path) -> Iterator[Live]:
    """An aimond that is not running: nobody listens at its ports, nor can anybody else."""
    with socket.socket() as http, socket.socket() as grpc:
        for each in (http, grpc):
            each.bind(("127.0.0.1", 0))
        config = directory / "aimond" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG.format(http=http.getsockname()[1], grpc=grpc.getsockname()[1]))
        yield Live("", "", [], {"XDG_CONFIG_HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stopwatch(
    clis: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stopwatch]:
    """All runs that the chosen tests are about, while no scenes are played."""
    items = (item for item in request.session.items if isinstance(item, pytest.Function))
    chosen = list(dict.fromkeys(item.callspec.params["cli"] for item in items if item.module is request.module))
    report = Report("from the start of a CLI to its exit")
    request.config.pluginmanager.register(report)
    directory = tmp_path_factory.mktemp("exit-delay")
    assert await until(lambda: not scenes_are_played(), 600, 1)
    async with contextlib.AsyncExitStack() as stack:
        monitor = await stack.enter_async_context(live(tmp_path_factory.mktemp("aimond")))
        dead = stack.enter_context(nowhere(directory / "nowhere"))
        places = {}
        for cli in chosen:
            installed(cli)
            for condition, where in {"off": None, "running": monitor, "stopped": dead}.items():
                places[cli, condition] = await stack.enter_async_context(place(CLIS[cli], where, "project"))
            places[cli, "hung"] = places[cli, "running"]
        watch = Stopwatch(monitor, places, directory / "log")
        for condition in ("off", "running", "stopped"):  # what they do at their first start only
            await asyncio.gather(*(watch.run(cli, condition, "Warm up [[text:Yes]]") for cli in chosen))
        await watch.measure(chosen, ROUNDS)
        yield watch
        report.lines += watch.lines()


def scenes_are_played() -> bool:
    return any("tests.e2e.realcli run" in processes.command_line(pid) for pid in processes.descendants())


@each_cli
async def test_with_aimond_running_a_cli_takes_no_longer_than_without_telemetry(cli: str, stopwatch: Stopwatch) -> None:
    if stopwatch.ratio(cli, "running") > NOISE:
        for condition in ("off", "running"):
            del stopwatch.runs[cli, condition]
        await stopwatch.measure([cli], {condition: ROUNDS[condition] for condition in ("off", "running")})
    assert stopwatch.ratio(cli, "running") <= NOISE, stopwatch.runs


@each_cli
@pytest.mark.parametrize("condition", AT_MOST)
async def test_after_its_answer_a_cli_exits_in_time(cli: str, condition: str, stopwatch: Stopwatch) -> None:
    assert stopwatch.after(cli, condition) <= AT_MOST[condition][cli], stopwatch.runs[cli, condition]


@each_cli
async def test_aimond_heard_of_every_run_while_it_ran(cli: str, stopwatch: Stopwatch) -> None:
    """Or else there was nothing to measure."""
    stories = stopwatch.monitor.stories.values()
    completed = [each for each in stories if each.properties["Agent"] == AGENTS[cli] and each.completed]
    assert len(completed) >= len(stopwatch.runs[cli, "running"])


@each_cli
async def test_no_session_stays_behind_of_a_cli_that_exited_while_aimond_hung(cli: str, stopwatch: Stopwatch) -> None:
    stories = stopwatch.monitor.stories
    own = [session for session, story in stories.items() if story.properties["Agent"] == AGENTS[cli]]
    await stopwatch.monitor.until(lambda: all(stories[session].removed for session in own), 5)
    assert {session: stories[session] for session in own if not stories[session].removed} == {}
