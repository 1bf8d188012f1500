from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from aimond.process import proc
from tests.process.living import Run

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a story in each kind of event loop."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


def children() -> set[int]:
    return {pid for pid in proc.pids() if proc.parent(pid) == os.getpid()}


def open_files() -> int:
    """How many there are, but for pipes: libuv opens one for signals, and keeps it."""
    links = [proc.link(os.getpid(), f"fd/{file.name}") for file in Path("/proc/self/fd").iterdir()]
    return sum(not link.startswith("pipe:") for link in links)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before, files = children(), open_files()
    yield
    assert children() <= before
    assert open_files() <= files
