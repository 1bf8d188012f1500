"""CPU time of receiving, understanding and telling, against that of receiving and parsing alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from tests.bench.bodies import Post, recorded
from tests.bench.figure import Figure
from tests.bench.floor import READ_PATH
from tests.bench.post import deliver
from tests.bench.servers import Server, serving

WARM_UP: Final = 2  # rounds
ROUNDS: Final = 5
SESSIONS: Final = 128  # as many as there are on all tapes
REST: Final = 0.3  # seconds; the last counters leave 0.25 s after the last change


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of telemetry, and how many times the floor's CPU time it may cost. ``tool`` "" stands for all of them.

    Prices, history, notifications, windows and metrics are all on, as a user has them; the aims are in
    docs/performance.md.

    ``before``: the signal whose records show the sessions, and which is sent first where that is not the point.
    ``parsed``: whether the floor parses what it reads."""

    name: str
    tool: str
    signals: tuple[str, ...]
    bar: float
    before: str = ""
    parsed: bool = True


KINDS: Final = (
    Kind("Claude logs", "claude", ("logs",), 2.3),
    Kind("Codex logs", "codex", ("logs",), 1.9),
    Kind("Gemini logs", "gemini", ("logs",), 2.1),
    Kind("Codex traces", "codex", ("traces",), 1.1, before="logs"),
    Kind("metrics", "", ("metrics",), 1.1, before="metrics"),
    Kind("Codex traces, floor not parsing", "codex", ("traces",), 1.5, before="logs", parsed=False),
    Kind("metrics, floor not parsing", "", ("metrics",), 1.5, before="metrics", parsed=False),
    Kind("all tapes", "", ("logs", "traces", "metrics"), 1.7),
)
_numbers = count(1)


async def measure(kind: Kind) -> list[Figure]:
    """ms per 1,000 records: the median of rounds, in each of which both servers are sent the same bodies."""
    requests = [request for signal in kind.signals for request in recorded(kind.tool, signal)]
    tapes = {request.tape for request in requests}
    before = [request for request in recorded(kind.tool, kind.before) if request.tape in tapes]
    thousands = sum(request.items for request in requests) / 1000
    pairs = []
    with serving(SESSIONS) as servers:
        for _ in range(WARM_UP + ROUNDS):
            number = next(_numbers)
            await _cost(servers.aimond, [request.anew(number) for request in before], REST)
            posts = [request.anew(number) for request in requests]
            plain = posts if kind.parsed else [replace(post, path=READ_PATH) for post in posts]
            floor = await _cost(servers.floor, plain, 0)
            aimond = await _cost(servers.aimond, posts, REST)
            pairs.append((floor / thousands, aimond / thousands))
    return [Figure.of_pairs(f"CPU per 1,000 records, {kind.name}", "ms", pairs[WARM_UP:], kind.bar)]


async def _cost(server: Server, posts: list[Post], rest: float) -> float:
    """ms of CPU time that the posts cost, with what follows from them in ``rest`` seconds."""
    before = server.cpu()
    await deliver(posts, server.port)
    await asyncio.sleep(rest)
    return (server.cpu() - before) / 1e6
