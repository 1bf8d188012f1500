"""The process itself: how soon it is there, how much memory it takes, and what it does while nothing happens."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from compileall import compile_dir
from contextlib import ExitStack
from functools import cache
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Final

from dbus_fast import Message
from dbus_fast.aio import MessageBus

from tests.bench.figure import Figure
from tests.bench.post import Exporter, exporter
from tests.bench.servers import CONFIG, Server, cpu, started
from tests.bench.turns import APART, turns
from tests.busdaemon import PrivateBus

STARTS: Final = 9
IDLE: Final = 15.0  # seconds that are watched
SETTLED: Final = 1.0
AT_REST: Final = 14.0  # when what was heard is written, and deadlines that moved away have come to nothing
LIVE: Final = 20
COME_AND_GONE: Final = (5_000, 10_000)  # sessions: when everything that is bounded is full, and at the end
SHOWN: Final = 200
CALLS: Final = 20
START_BAR, WORK_BAR, MEMORY_BAR, GROWTH_BAR, IDLE_BAR, READ_BAR = 1.8, 1.4, 1.3, 1.06, 2.0, 1.5
_OBJECTS: Final = ("org.ai.Monitor", "/org/ai/Monitor", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")


@cache
def _libraries() -> str:
    """A program that imports what the daemon has when it owns its name, but for its own modules, and says so."""
    ask = (
        "import sys; before = {*sys.modules}; import aimond.commands.run, aimond.daemon, aimond.agents;"
        "aimond.agents.find(); aimond.config.Config();"
        "print(*(name for name in sys.modules if name not in before and not name.startswith('aimond')), sep=',')"
    )
    names = subprocess.check_output([sys.executable, "-c", ask], text=True).strip()
    return f"import importlib, time\nfor name in {names!r}.split(','): importlib.import_module(name)\n"


def private(pid: int) -> float:
    """MB that no other process shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_\w+: +(\d+) kB", text))) / 1000


def _switches(pid: int) -> int:
    """How often its threads have waited for something."""
    tasks = Path(f"/proc/{pid}/task").glob("*/status")
    return sum(int(task.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for task in tasks)


def daemon(running: ExitStack, sessions: int, bus: PrivateBus | None = None) -> tuple[Server, PrivateBus]:
    bus = bus or running.enter_context(PrivateBus())
    config = bus.directory / "config.toml"
    settings = CONFIG.replace("grpc = false", "grpc_port = 0")
    config.write_text(settings.format(sessions=sessions))
    return running.enter_context(started(bus, "aimond", "run", "--config", str(config))), bus


async def start() -> list[Figure]:
    """ms until the name is owned, those of CPU, and MB then, against importing the libraries and doing nothing."""
    compile_dir(files("aimond"), quiet=1)  # as pip does with what it installs, libraries among it
    times, work, sizes = [], [], []
    for _ in range(STARTS):
        program = f"{_libraries()}print(1, flush=True); time.sleep(60)"
        began = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as plain:  # noqa: ASYNC220
            assert plain.stdout and plain.stdout.readline()
            imported = time.perf_counter() - began
            worked, alone = cpu(plain.pid), private(plain.pid)
            plain.kill()
        with ExitStack() as running:
            bus = running.enter_context(PrivateBus())  # as the desktop has one
            began = time.perf_counter()
            aimond, _ = daemon(running, 128, bus)  # which listens once it has its name
            times.append((imported * 1000, (time.perf_counter() - began) * 1000))
            work.append((worked / 1e6, aimond.cpu() / 1e6))
            sizes.append((alone, private(aimond.process.pid)))
    return [
        Figure.of_pairs("start until the name is owned", "ms", times, START_BAR),
        Figure.of_pairs("CPU until then", "ms", work, WORK_BAR),
        Figure.of_pairs("private memory after the start", "MB", sizes, MEMORY_BAR),
    ]


async def idle() -> list[Figure]:
    """Waits of all threads in a minute, with live sessions and gRPC on, against one: floors do not wait for nothing."""
    with ExitStack() as running:
        aimond, _ = daemon(running, LIVE)
        async with exporter(aimond.port) as to:
            await _turns(to, LIVE, LIVE)
            await asyncio.sleep(AT_REST)
            before = _switches(aimond.process.pid)
            await asyncio.sleep(IDLE)
            waits = (_switches(aimond.process.pid) - before) * 60 / IDLE
    return [Figure.of_pairs(f"waits a minute, {LIVE} idle sessions", "/1", [(1.0, waits)], IDLE_BAR)]


async def growth() -> list[Figure]:
    """MB after 10,000 sessions that came and went, against after the first 5,000, when what is bounded is full."""
    sizes = []
    with ExitStack() as running:
        aimond, _ = daemon(running, 64)
        async with exporter(aimond.port) as to:
            steps = turns(COME_AND_GONE[1], time.time_ns() - APART)
            for number, step in zip(range(3 * COME_AND_GONE[1]), steps, strict=False):
                await to.post(step.request)
                if number + 1 in [3 * sessions for sessions in COME_AND_GONE]:
                    await asyncio.sleep(SETTLED)
                    sizes.append(private(aimond.process.pid))
    return [Figure.of_pairs("memory, 10,000 sessions later", "MB", [(sizes[0], sizes[1])], GROWTH_BAR)]


async def reading() -> list[Figure]:
    """ms of CPU for GetManagedObjects with many sessions, against what dbus-fast takes to marshal the same reply."""
    pairs = []
    with ExitStack() as running:
        aimond, at = daemon(running, SHOWN)
        bus = await MessageBus(at.address).connect()
        async with exporter(aimond.port) as to:
            await _turns(to, SHOWN, SHOWN)
        await asyncio.sleep(SETTLED)
        for _ in range(CALLS):
            before = aimond.cpu()
            reply = await bus.call(Message(*_OBJECTS))
            cost = (aimond.cpu() - before) / 1e6
            assert reply is not None
            assert sum("/session/" in path for path in reply.body[0]) == SHOWN
            again = Message.new_method_return(Message(*_OBJECTS, sender=":1.1", serial=1), reply.signature, reply.body)
            again.serial = 1
            began = time.thread_time_ns()
            again._marshall(False)
            pairs.append(((time.thread_time_ns() - began) / 1e6, cost))
        bus.disconnect()
    floor = median(floor for floor, _ in pairs)
    return [Figure.of_pairs(f"all of {SHOWN} sessions read", "ms", [(floor, cost) for _, cost in pairs], READ_BAR)]


async def _turns(to: Exporter, sessions: int, count: int) -> None:
    """One turn of each."""
    steps = turns(sessions, time.time_ns() - APART)
    for _, step in zip(range(3 * count), steps, strict=False):
        await to.post(step.request)


MEASUREMENTS: Final = (start, idle, growth, reading)
