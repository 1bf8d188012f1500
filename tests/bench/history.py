"""What history costs: against bare sqlite3 that writes and adds up plain rows, and against a loop that has none."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from aimond.core.rows import CallRow, Rows
from aimond.core.snapshot import Basis
from aimond.core.turn import SECOND
from aimond.core.usage import Usage
from aimond.history.queries import GROUPS
from aimond.history.store import Store
from tests.bench.figure import Figure

CALLS: Final = 1_000_000
BATCH: Final = 10_000
# A session: so many calls, one each half minute, the sessions beginning one after the other within a month.
OF_SESSION: Final = 500
PACE: Final = 30 * SECOND
MONTH: Final = 31 * 86_400 * SECOND
BEGAN: Final = 1_790_812_800 * SECOND
MODELS: Final = ("claude-sonnet-4-5", "gpt-5-codex", "gemini-2.5-pro")

ROUNDS: Final = 5
WAITS: Final = 200
WRITE_BAR: Final = 3.0
# The bare sum looks at every call; without sums by quarter of an hour so would aimond, and could not be below 1.
MONTH_BAR: Final = 0.5
LAG_BAR: Final = 5.0
_PLAIN: Final = "agent, session, key, at, model, provider, requests, i, r, w, t, o, n, cost, basis"
_KEY: Final = "PRIMARY KEY (agent, session, key)) WITHOUT ROWID"
_ADD_UP: Final = "SELECT model, sum(requests), sum(i), sum(r), sum(w), sum(t), sum(o), sum(n), sum(cost) FROM plain"


def _call(number: int, chance: random.Random) -> CallRow:
    session, nth = divmod(number, OF_SESSION)
    began = BEGAN + session * (MONTH - OF_SESSION * PACE) // (CALLS // OF_SESSION)
    return CallRow(
        agent="claude-code",
        session=f"00000000-0000-4000-8000-{session:012d}",
        key=f"call:req_{chance.getrandbits(80):020x}",
        at=began + nth * PACE,
        model=MODELS[number % 4 % 3],
        provider="anthropic",
        usage=Usage(chance.randrange(5000), 20_000, 300, 0, 500, 50),
        cost=Decimal(chance.randrange(10**9)).scaleb(-9),
        basis=Basis.REPORTED,
    )


def _plain(call: CallRow) -> tuple[Any, ...]:
    use = call.usage
    tokens = (use.input, use.cache_read, use.cache_write, use.tool_prompt, use.output, use.reasoning)
    return (
        call.agent,
        call.session,
        call.key,
        call.at,
        call.model,
        call.provider,
        1,
        *tokens,
        float(call.cost or 0),
        "r",
    )


@contextmanager
def _bare(directory: str) -> Iterator[sqlite3.Connection]:
    """A table of the same rows, each of which can be there but once, and written to as safely."""
    with closing(sqlite3.connect(Path(directory) / "bare", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"CREATE TABLE plain ({_PLAIN}, {_KEY}")
        yield db


@contextmanager
def _store(directory: str, name: str) -> Iterator[Store]:
    store = Store(Path(directory) / name, 3650, 2**40, lambda _: None)
    store.open()
    try:
        yield store
    finally:
        store.close()


async def measure() -> list[Figure]:
    """Writing a million calls, in batches; and then asking for the month they were in."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as directory, _bare(directory) as bare, _store(directory, "store") as store:
        writes = [await _write(bare, store, start, chance) for start in range(0, CALLS, BATCH)]
        figures = [Figure.of_pairs("writing 1,000 calls", "ms", writes, WRITE_BAR)]
        months: dict[str, list[tuple[float, float]]] = {group: [] for group in GROUPS}
        for _ in range(ROUNDS):
            floor = _time(lambda: bare.execute(f"{_ADD_UP} GROUP BY model").fetchall())
            for group, times in months.items():
                began = time.perf_counter()
                rows = await store.usage(BEGAN, BEGAN + MONTH, group)
                times.append((floor, (time.perf_counter() - began) * 1000))
                assert sum(row.spent.requests for row in rows) == CALLS
        for group, times in months.items():
            figures.append(Figure.of_pairs(f"month of 1,000,000 calls by {group}", "ms", times, MONTH_BAR))
        return figures


async def _write(bare: sqlite3.Connection, store: Store, start: int, chance: random.Random) -> tuple[float, float]:
    """ms per 1,000 rows, bare and in the history."""
    calls = [_call(start + number, chance) for number in range(BATCH)]
    plain = [_plain(call) for call in calls]

    def write() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany(f"INSERT INTO plain VALUES ({', '.join('?' * len(plain[0]))})", plain)
        bare.execute("COMMIT")

    floor = _time(write)
    began = time.perf_counter()
    store.put(Rows(calls=calls))
    assert await store.written()
    return floor / BATCH * 1000, (time.perf_counter() - began) * 1e6 / BATCH


def _time(work: Callable[[], object]) -> float:
    """In ms."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def lag() -> list[Figure]:
    """How late the loop is (p99), when calls are put and written, and when the file is locked: against a loop that
    makes the same calls and puts them nowhere."""
    with (
        tempfile.TemporaryDirectory() as directory,
        _store(directory, "busy") as busy,
        _store(directory, "held") as held,
    ):
        assert await held.written()
        with closing(sqlite3.connect(Path(directory) / "held", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            kinds = (("writing", busy.put), ("locked", held.put))
            parts: dict[str, list[list[tuple[float, float]]]] = {name: [] for name, _ in kinds}
            for _ in range(ROUNDS):
                for name, put in kinds:
                    idle = await _lateness(lambda rows: None)
                    parts[name].append(list(zip(idle, await _lateness(put), strict=True)))
            other.execute("ROLLBACK")
    return [
        Figure.of_samples(f"lateness of the loop, {name}, p99", "ms", part, _p99, LAG_BAR)
        for name, part in parts.items()
    ]


_numbers = count()


async def _lateness(put: Callable[[Rows], None]) -> list[float]:
    """By how many ms each of many waits of 2 ms was too long, while ten calls were put in each."""
    chance, late = random.Random(2), []
    for _ in range(WAITS):
        began = time.perf_counter()
        put(Rows(calls=[_call(next(_numbers), chance) for _ in range(10)]))
        await asyncio.sleep(0.002)
        late.append((time.perf_counter() - began) * 1000 - 2)
    return late


def _p99(samples: Any) -> float:
    return quantiles(samples, n=100)[98]
