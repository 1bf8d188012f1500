"""What earlier runs of the monitor left, for the start of the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from itertools import groupby
from typing import Any, Final

from aimond.core.books import CALLS_KEPT
from aimond.core.budget import Spending, Told
from aimond.core.ledger import BUCKET
from aimond.core.rows import Past
from aimond.core.session import TURNS_KEPT
from aimond.core.usage import Spent
from aimond.history.columns import CALL, OF_CALL, SESSION, SPENT, SUMS, TURN, to_call, to_session, to_spent, to_turn
from aimond.history.pending import Pending
from aimond.history.queries import Names

KEYS: Final = 4096

_SPENT: Final = ", ".join(SPENT)
_ADDED: Final = ", ".join(f"sum({column})" for column in OF_CALL)
_PAST: Final = (
    f"SELECT number, {', '.join(SESSION)} FROM session WHERE max(last_at, last_seen) >= ? "
    "ORDER BY max(last_at, last_seen) DESC, number DESC LIMIT ?"
)
_TURNS: Final = (
    f"SELECT {', '.join(TURN)}, {_SPENT} FROM turn WHERE session = ? ORDER BY number DESC LIMIT {TURNS_KEPT}"
)
_MODELS: Final = (
    f"SELECT m.model, {_ADDED} FROM call JOIN model m ON m.number = call.model WHERE session = ? GROUP BY 1"
)
_KEYS: Final = (
    "SELECT key FROM (SELECT key, at FROM call WHERE session = :who UNION ALL "
    f"SELECT key, at FROM counted WHERE session = :who) GROUP BY key ORDER BY max(at) DESC, key DESC LIMIT {KEYS}"
)
# All corrections, and the newest calls.
_CALLS: Final = (
    f"SELECT m.model, m.provider, {', '.join(f'call.{name}' for name in CALL)} FROM call "
    "JOIN model m ON m.number = call.model WHERE session = :who ORDER BY requests = 0 DESC, at DESC, key DESC "
    f"LIMIT {CALLS_KEPT} + (SELECT count(*) FROM call WHERE session = :who AND requests = 0)"
)
_SPENDING: Final = (
    f"SELECT s.agent, s.id, m.model, {SUMS} FROM used JOIN session s ON s.number = used.session "
    "JOIN model m ON m.number = used.model WHERE quarter BETWEEN ? AND ? GROUP BY 1, 2, 3"
)


def past(db: sqlite3.Connection, since: int, most: int) -> list[Past]:
    """Sessions that were heard of since then, the newest first; turns and keys with the oldest first."""
    sessions = db.execute(_PAST, (since, most)).fetchall()
    return [_past_of(db, number, row) for number, *row in sessions]


def _past_of(db: sqlite3.Connection, number: int, row: list[Any]) -> Past:
    session = to_session(tuple(row))
    turns = [to_turn(session.agent, session.id, turn) for turn in db.execute(_TURNS, (number,))]
    models = {model: to_spent(columns) for model, *columns in db.execute(_MODELS, (number,))}
    keys = [key for (key,) in db.execute(_KEYS, {"who": number})]
    found = db.execute(_CALLS, {"who": number}).fetchall()
    calls = [to_call(session.agent, session.id, model, provider, tuple(columns)) for model, provider, *columns in found]
    calls.sort(key=lambda call: (call.at, call.key))
    return Past(session=session, turns=turns[::-1], models=models, keys=keys[::-1], calls=calls)


def buckets(db: sqlite3.Connection, since: int) -> dict[int, Spent]:
    """What was used in each quarter of an hour, as core/ledger.py numbers them, from that of ``since`` on."""
    rows = db.execute(f"SELECT quarter, {SUMS} FROM used WHERE quarter >= ? GROUP BY quarter", (since // BUCKET,))
    return {quarter: to_spent(columns) for quarter, *columns in rows}


def spending(db: sqlite3.Connection, since: int, day_of: Callable[[int], date]) -> list[Spending]:
    """What was spent from the quarter of an hour of ``since`` on, by local day, session and model."""
    names = Names(db, Pending())
    quarters = db.execute("SELECT DISTINCT quarter FROM used WHERE quarter >= ? ORDER BY 1", (since // BUCKET,))
    found = []
    for day, of_day in groupby((quarter for (quarter,) in quarters.fetchall()), lambda each: day_of(each * BUCKET)):
        first, *more = of_day
        for agent, session, model, *columns in db.execute(_SPENDING, (first, more[-1] if more else first)).fetchall():
            owner, _, project = names.owner((agent, session))
            found.append(Spending(day, agent, owner, project, model, to_spent(columns)))
    return found


def told(db: sqlite3.Connection) -> list[Told]:
    """The thresholds of budgets that were told, in the order in which they were."""
    found: list[Told] = db.execute('SELECT budget, "of", period, threshold FROM crossed ORDER BY number').fetchall()
    return found
