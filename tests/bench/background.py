"""``python -m tests.bench.background PORT...``: 1,000 log records a second to each, evenly, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Final

from tests.bench.bodies import Request, recorded
from tests.bench.post import exporter, wire
from tests.bench.servers import started
from tests.busdaemon import PrivateBus

RECORDS: Final = 1_000  # a second
# Apart from those that other measurements send.
FIRST: Final = 1_000


def _forever(requests: list[Request]) -> Iterator[tuple[bytes, float]]:
    """The requests with their pauses."""
    for number in count(FIRST):
        for request in requests:
            yield wire(request.anew(number)), request.items / RECORDS


async def send(ports: Iterable[int]) -> None:
    """Never returns."""
    print("HTTP on port 0", flush=True)  # as those that serve say that they are ready
    async with asyncio.TaskGroup() as tasks:
        for port in ports:
            tasks.create_task(_send(port))


async def _send(port: int) -> None:
    due = asyncio.get_running_loop().time()
    async with exporter(port) as to:
        for request, pause in _forever(recorded("claude", "logs")):
            await to.post(request)
            due += pause
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


@contextmanager
def busy(bus: PrivateBus, *ports: int) -> Iterator[None]:
    """Meanwhile both are sent that much."""
    with ExitStack() as running:
        if ports:
            running.enter_context(started(bus, "tests.bench.background", *map(str, ports)))
        yield


if __name__ == "__main__":
    asyncio.run(send(map(int, sys.argv[1:])))
