"""Time from a post to the signal at a client, with forwarding against without; both daemons take turns. Once the
upstream takes all, once nobody is there and all of it piles up."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from tests.bench.figure import Figure
from tests.bench.latency import PART, REST, SAMPLES, WARM_UP, listening, percentile, sample
from tests.bench.post import exporter
from tests.bench.servers import CONFIG, Server, started
from tests.bench.turns import APART, turns
from tests.busdaemon import PrivateBus

BARS: Final = ((50, 1.1), (99, 2.0))  # percentiles; of the rarest hundredth a run has ten samples
FORWARD: Final = """
[history]
enabled = false
[forward]
endpoint = "http://127.0.0.1:{port}"
linger = {linger}
"""


async def measure(linger: float = 1.0, *, away: bool = False) -> list[Figure]:
    """ms, of one session."""
    title = "forwarding to nobody" if away else "forwarding"
    first = time.time_ns() - (WARM_UP + SAMPLES) * APART
    pairs: list[tuple[float, float]] = []
    with _both(linger, away) as ((plain, plain_bus), (forwarding, forwarding_bus)):
        async with (
            listening(plain_bus.address) as plain_ear,
            listening(forwarding_bus.address) as forwarding_ear,
            exporter(plain.port) as to_plain,
            exporter(forwarding.port) as to_forwarding,
        ):
            for step in turns(1, first):
                if not step.state:
                    await to_plain.post(step.request)
                    await to_forwarding.post(step.request)
                    await asyncio.sleep(REST)
                    continue
                without, _ = await sample(step.request, to_plain, plain_ear)
                with_, _ = await sample(step.request, to_forwarding, forwarding_ear)
                pairs.append((without, with_))
                if len(pairs) == WARM_UP + SAMPLES:
                    break
    measured = pairs[WARM_UP:]
    parts = [measured[start : start + PART] for start in range(0, SAMPLES, PART)]
    return [Figure.of_samples(f"{title}, p{n}", "ms", parts, partial(percentile, n), bar) for n, bar in BARS]


@contextmanager
def _both(linger: float, away: bool) -> Iterator[tuple[tuple[Server, PrivateBus], tuple[Server, PrivateBus]]]:
    with ExitStack() as running:
        buses = [running.enter_context(PrivateBus()) for _ in range(3)]
        if away:
            nobody = running.enter_context(socket.socket())
            nobody.bind(("127.0.0.1", 0))  # and does not listen
            upstream = int(nobody.getsockname()[1])
        else:
            upstream = running.enter_context(started(buses[2], "tests.bench.floor")).port
        made = []
        for bus, port in zip(buses, (0, upstream), strict=False):
            config = bus.directory / "config.toml"
            forward = FORWARD.format(port=port, linger=linger) if port else FORWARD.partition("[forward]")[0]
            config.write_text(CONFIG.format(sessions=16) + forward)
            made.append((running.enter_context(started(bus, "aimond", "run", "--config", str(config))), bus))
        yield made[0], made[1]
