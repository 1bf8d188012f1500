"""Rows as the tracker makes them, and a store with what it told."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from aimond.core.rows import CallRow, CountedRow, Rows, SessionRow, TurnRow
from aimond.core.snapshot import Basis
from aimond.core.turn import SECOND
from aimond.core.usage import Usage
from aimond.history.store import Store

DAY = 86_400 * SECOND
NOON = 1_790_000_000 * SECOND // (900 * SECOND) * (900 * SECOND)
EVER = (0, 2**53)
AGENT = "claude-code"


def call(key: str, session: str = "s1", at: int = NOON, cost: str | None = "0.5", **more: Any) -> CallRow:
    basis = Basis.UNKNOWN if cost is None else Basis.REPORTED
    values: dict[str, Any] = {
        "agent": AGENT,
        "model": "sonnet",
        "provider": "anthropic",
        "usage": Usage(10, 20, 30, 0, 5, 2),
        "cost": None if cost is None else Decimal(cost),
        "basis": basis,
    }
    return CallRow(session=session, key=key, at=at, **values | more)


def calls(*rows: CallRow) -> Rows:
    return Rows(calls=list(rows))


def session(name: str = "s1", last: int = NOON, **more: Any) -> SessionRow:
    return SessionRow(**{"agent": AGENT, "id": name, "last_at": last, "last_seen": last} | more)


def turn(number: int, name: str = "s1", **more: Any) -> TurnRow:
    return TurnRow(agent=AGENT, session=name, number=number, started=NOON + number, **more)


def counted(key: str, name: str = "s1", at: int = NOON) -> CountedRow:
    return CountedRow(agent=AGENT, session=name, key=key, at=at)


class Told(list[str]):
    """What a store told of its condition."""

    @property
    def last(self) -> str:
        return self[-1] if self else ""


@asynccontextmanager
async def opened(path: Path | None, told: Told | None = None, **more: Any) -> AsyncIterator[Store]:
    """An open store, closed at the end."""
    told = Told() if told is None else told
    values: dict[str, Any] = {"keep_days": 400, "max_bytes": 2**29, "clock": lambda: NOON} | more
    store = Store(path, told=told.append, **values)
    store.open()
    try:
        yield store
    finally:
        store.close()


async def spent(store: Store, group: str = "agent") -> dict[str, tuple[int, Decimal]]:
    """Requests and cost by key, of all times."""
    return {row.key: (row.spent.requests, row.spent.cost) for row in await store.usage(*EVER, group)}


def shell(path: Path) -> sqlite3.Connection:
    """As a user looks into the file."""
    return sqlite3.connect(path, isolation_level=None)


def sound(path: Path) -> bool:
    """Whether the file is whole, and its sums are those of its calls."""
    db = shell(path)
    try:
        columns = ["requests", "input", "cache_read", "cache_write", "tool_prompt", "output", "reasoning"]
        summed = ", ".join(f"ifnull(sum({column}), 0)" for column in [*columns, "usd", "pico"])
        (used,) = db.execute(f"SELECT {summed} FROM used").fetchall()
        (of_calls,) = db.execute(f"SELECT {summed} FROM call").fetchall()
        keys = db.execute("PRAGMA foreign_key_check").fetchall()
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not keys and used == of_calls)
    finally:
        db.close()
