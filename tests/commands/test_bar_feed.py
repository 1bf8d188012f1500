"""``aimond waybar`` and ``aimond watch`` as a bar has them: a process whose lines are read until the bar is gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from aimond.bus.service import Service
from aimond.core.snapshot import State
from tests.bus.reader import NAME, eventually
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus
from tests.commands.feed import AIMOND, feed
from tests.daemon.test_command_line import switches


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


FEEDERS = [("waybar",), ("watch", "--json")]


async def test_a_line_for_each_change_and_none_for_none(bus: PrivateBus, service: Service, source: Standin) -> None:
    async with feed(bus, "waybar") as bar:
        assert (await bar.line())["class"] == "none"
        service.publish(source.add(state=State.WORKING, project="<shop>"))
        working = await bar.until(lambda line: line["class"] == "working")
        assert "&lt;shop&gt;" in working["tooltip"]
        service.publish(source.state(State.WAITING, reason="permission:Bash"))
        assert (await bar.until(lambda line: line["class"] == "waiting"))["text"].startswith("◆ 1")
        service.publish(source.details(last_activity=1, directory="/somewhere", last_error="not shown"))
        service.publish(source.attention("permission:Bash"))
        assert await bar.says_nothing_more(0.6)
        service.publish(source.remove())
        assert (await bar.line())["class"] == "none"


async def test_a_burst_is_one_line(bus: PrivateBus, service: Service, source: Standin) -> None:
    async with feed(bus, "waybar") as bar:
        await bar.line()
        bar.lines.clear()
        began = time.monotonic()
        for number in range(50):
            service.publish(source.add(f"s{number}", state=State.WORKING))
            await asyncio.sleep(0.001)
        await bar.until(lambda line: line["text"].startswith("▶ 50"))
        assert len(bar.lines) <= 2 + (time.monotonic() - began) / 0.05


async def test_the_monitor_goes_and_comes_back(bus: PrivateBus, source: Standin) -> None:
    async with feed(bus, "waybar") as bar:
        assert (await bar.line())["class"] == "off"
        assert "systemctl --user start aimond" in bar.lines[-1]["tooltip"]
        for session_id in ("one", "two"):
            source.add(session_id)
            service = Service(source, bus.address)
            await service.start()
            assert (await bar.line())["class"] == "idle"
            await service.close()
            assert (await bar.line())["class"] == "off"


async def test_the_bus_dies_and_comes_back(bus: PrivateBus, service: Service, source: Standin) -> None:
    source.add(state=State.WORKING)
    async with feed(bus, "waybar") as bar:
        await bar.line()
        bus.stop()
        assert (await bar.line())["class"] == "off"
        assert "bus" in bar.lines[-1]["tooltip"]
        bus.start()
        again = Service(source, bus.address)
        await again.start()
        await bar.until(lambda line: line["class"] == "working")
        await again.close()


async def test_it_starts_the_monitor_only_if_told_to(bus: PrivateBus) -> None:
    started = bus.directory / "started"
    (bus.services / f"{NAME}.service").write_text(f"[D-BUS Service]\nName={NAME}\nExec=/usr/bin/touch {started}\n")
    async with feed(bus, "waybar") as bar:
        assert (await bar.line())["class"] == "off"
        assert not started.exists()
    async with feed(bus, "waybar", "--start") as bar:
        assert (await bar.line())["class"] == "off"
        await eventually(started.exists)


@pytest.mark.parametrize("arguments", FEEDERS)
async def test_it_ends_when_nobody_reads_while_nothing_changes(
    bus: PrivateBus, service: Service, source: Standin, arguments: tuple[str, ...]
) -> None:
    source.add()
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(*AIMOND, *arguments, env=bus.environment, stdout=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 10)
    os.close(reading)
    async with asyncio.timeout(2):
        assert await process.wait() == 0


async def test_it_ends_with_its_bar_though_another_script_keeps_the_pipe(
    bus: PrivateBus, service: Service, source: Standin, tmp_path: Path
) -> None:
    """As Waybar 0.9.17 does it: a shell between, and a script that inherited the end we would be told of. And the bar
    hung before it died, so that the pipe is full."""
    bar = tmp_path / "bar.py"
    bar.write_text(
        "import fcntl, os, subprocess, sys\n"
        "reading, writing = os.pipe()\n"
        "fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)\n"
        f"feeder = subprocess.Popen(['sh', '-c', '\"{sys.executable}\" -m aimond waybar; true'], stdout=writing)\n"
        "other = subprocess.Popen(['sleep', '60'], pass_fds=[reading], stdout=subprocess.DEVNULL)\n"
        "os.close(writing)\n"
        "os.read(reading, 10)\n"
        "children = open(f'/proc/{feeder.pid}/task/{feeder.pid}/children').read()\n"
        "print(children, other.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(bar), env=bus.environment, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout
    feeder, other = map(int, (await process.stdout.readline()).split())
    try:
        for number in range(40):
            service.publish(source.add(f"s{number}", state=State.WORKING))
            await asyncio.sleep(0.03)
        process.kill()
        await process.wait()
        async with asyncio.timeout(2):
            while is_alive(feeder):  # noqa: ASYNC110  (it is nobody's child who would be told)
                await asyncio.sleep(0.02)
    finally:
        os.kill(other, signal.SIGKILL)


async def test_a_reader_that_reads_nothing_for_long_gets_the_newest(
    bus: PrivateBus, service: Service, source: Standin
) -> None:
    for number in range(20):
        service.publish(source.add(f"s{number}", project="x" * 24))
    async with feed(bus, "waybar") as bar:
        await bar.line()
        assert bar.process.stdout
        transport = bar.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.pause_reading()
        fcntl.fcntl(transport.get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, 4096)
        states = [State.WORKING, State.COMPLETED]
        for turn in range(20):  # of about 2 kB each: more than the pipe holds
            service.publish(source.state(states[turn % 2], "s0"))
            await asyncio.sleep(0.06)
        service.publish(source.state(State.WAITING, "s0"))
        await asyncio.sleep(0.2)
        transport.resume_reading()
        await bar.until(lambda line: line["class"] == "waiting")
        assert len(bar.lines) < 20


async def test_an_idle_feeder_sleeps(bus: PrivateBus, service: Service, source: Standin) -> None:
    source.add(state=State.WORKING)
    async with feed(bus, "waybar") as bar:
        await bar.line()
        await asyncio.sleep(0.5)
        before = switches(bar.process.pid)
        await asyncio.sleep(3)
        assert switches(bar.process.pid) == before


async def test_a_watcher_is_told_everything_of_what_is_there(
    bus: PrivateBus, service: Service, source: Standin
) -> None:
    service.publish(source.add(state=State.WAITING, project="shop"))
    async with feed(bus, "watch", "--json") as watch:
        first, second = await watch.line(), await watch.line()
        assert first["signal"] == "InterfacesAdded"
        assert first["interfaces"]["org.ai.Monitor.Session"]["State"] == "waiting"
        assert (second["signal"], second["session"], second["id"]) == ("SessionAdded", first["object"], "one")
        service.publish(source.state(State.WORKING))
        await watch.until(lambda line: (line["signal"], line["path"]) == ("PropertiesChanged", first["object"]))
        await service.close()
        await watch.until(lambda line: line["signal"] == "NameOwnerChanged")
        again = Service(source, bus.address)
        await again.start()
        assert (await watch.until(lambda line: line["signal"] == "SessionAdded"))["id"] == "one"
        await again.close()


def test_what_is_still_to_be_written_when_nobody_reads_is_no_error() -> None:
    program = """
import asyncio, sys
from aimond.commands.stdout import while_read
async def work():
    sys.stdout.write("a line that waits for others")
    await asyncio.Event().wait()
sys.exit(asyncio.run(while_read(work())))
"""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-E", "-c", program], stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
