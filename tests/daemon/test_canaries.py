"""Nothing private leaves the monitor: neither on the bus nor on the disk, in the log or in a notification; nor does it
lie in the spool for an upstream that is to get no private words."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimond.forward.spool import _last
from aimond.hooks.message import delivered
from aimond.tape import unpacked
from tests.busdaemon import PrivateBus
from tests.canaries import CANARY, planted
from tests.daemon.live import Live, live
from tests.desktop.screen import screen
from tests.recorded import PATHS, name, tape

# One tape with hooks, and one with a failure or a question, of each CLI.
SOME = [path for path in PATHS if "hook" in name(path) or "error" in name(path) or "basic" in name(path)][:9]


@contextmanager
def capture(address: str, file: Path) -> Iterator[None]:
    """All that goes over the bus, byte for byte."""
    with file.open("wb") as into:
        command = ["busctl", f"--address={address}", "capture"]
        watching = subprocess.Popen(command, stdout=into, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            watching.terminate()
            watching.wait()


async def reaches(file: Path, word: bytes) -> None:
    async with asyncio.timeout(20):
        while word not in file.read_bytes():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


async def spooled(running: Live, requests: int) -> None:
    directory = Path(os.environ["XDG_STATE_HOME"]) / "aimond" / "spool"
    async with asyncio.timeout(20):
        while _last(directory) < requests:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert running.daemon._counters.forwarding.unwritten == 0


async def test_no_canary_leaves_the_monitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    caplog.set_level(logging.DEBUG)
    traffic = tmp_path / "traffic"
    tapes, sent, explained = [planted(tape(path)) for path in SOME], 0, list[str]()
    planted_in = sum(CANARY.encode() in unpacked(line) for each in tapes for line in each.lines if line.kind == "otlp")
    hooks = [line for each in tapes for line in each.lines if line.kind == "hook"]
    assert planted_in >= 20, "nothing private in the tapes: the test tests nothing"
    assert sum(CANARY in json.dumps(line.fields) for line in hooks) >= 5
    with PrivateBus() as bus, capture(bus.address, traffic):
        settings = {
            "history": {"enabled": True},
            "notifications": {"min_duration": 0},
            "forward": {"endpoint": "http://127.0.0.1:9"},  # nobody listens there: all of it stays in the spool
        }
        async with screen(bus.address) as shown, live(bus, settings) as running:
            for each in tapes:
                sent += await running.post(each)
                for line in (line for line in each.lines if line.kind == "hook"):
                    message = {"agent": line.fields.get("tool") or each.tool, "payload": line.fields["payload"]}
                    running.daemon._hooked(delivered(message, each.at(line.t)))
            await running.until_understood(sent)
            for session in await running.reader.sessions():
                explained += [repr(each) for each in await running.reader.explain(session["Id"])]
            await reaches(traffic, b"SessionStateChanged")
            await spooled(running, sent)
        notified = repr(shown.calls) + repr(shown.told)
    files = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}  # noqa: ASYNC240
    kept = [file for file in files if "data" in file.parts or "state" in file.parts]
    assert any("spool" in file.parts and len(files[file]) > 10_000 for file in kept)
    assert kept and explained and len(notified) > 100 and sent > 50
    assert [str(file) for file, content in files.items() if CANARY.encode() in content] == []
    assert CANARY not in notified
    assert CANARY not in caplog.text
    assert [each for each in explained if CANARY in each] == []
