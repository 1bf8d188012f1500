"""What is asked of the history. Rows that are still to be written count too, also where they replace written ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from aimond.core.ledger import BUCKET
from aimond.core.rows import CallRow, UsageRow
from aimond.core.turn import SECOND
from aimond.core.usage import Spent
from aimond.history.columns import (
    OF_CALL,
    SUMS,
    add_up,
    call_columns,
    sums_of_calls,
    to_spent,
)
from aimond.history.pending import Pending

# How far a hidden thread's hidden thread is followed.
_STEPS: Final = 4

_OLD: Final = (
    f"SELECT at, m.model, m.provider, {', '.join(OF_CALL)} FROM call JOIN session s ON s.number = call.session "
    "JOIN model m ON m.number = call.model WHERE s.agent = ? AND s.id = ? AND key = ?"
)
_SEEN: Final = (
    f"SELECT s.agent, m.provider, m.model, min(quarter), max(quarter), {SUMS} FROM used "
    "JOIN session s ON s.number = used.session JOIN model m ON m.number = used.model GROUP BY 1, 2, 3"
)

Who = tuple[str, str]
# A quarter of an hour, whose, of which model and provider, and columns of SPENT.
Part = tuple[int, Who, Who, tuple[int, ...]]


class ModelSeen(Struct, frozen=True, kw_only=True):
    """A model that an agent called. ``first`` and ``last``: when, in µs since the epoch, to a quarter of an hour."""

    agent: str
    provider: str
    model: str
    first: int
    last: int
    spent: Spent = Spent()


def models(db: sqlite3.Connection | None, pending: Pending) -> list[ModelSeen]:
    """Every model that was called, the last one first."""
    times: dict[tuple[str, str, str], tuple[int, int]] = {}
    parts = []
    for agent, provider, model, first, last, *columns in db.execute(_SEEN) if db else ():
        times[agent, provider, model] = (first, last)
        parts.append(((agent, provider, model), columns))
    for quarter, (agent, _), (model, provider), columns in _unwritten(db, pending):
        seen = (agent, provider, model)
        first, last = times.get(seen, (quarter, quarter))
        times[seen] = (min(first, quarter), max(last, quarter))
        parts.append((seen, list(columns)))
    found = [
        ModelSeen(
            agent=agent,
            provider=provider,
            model=model,
            first=times[agent, provider, model][0] * BUCKET,
            last=times[agent, provider, model][1] * BUCKET,
            spent=to_spent(columns),
        )
        for (agent, provider, model), columns in add_up(parts).items()
        if any(columns)
    ]
    return sorted(found, key=lambda seen: (-seen.last, seen.agent, seen.provider, seen.model))


def usage(db: sqlite3.Connection | None, pending: Pending, start: int, end: int, group: str) -> list[UsageRow]:
    """What was used from ``start`` until before ``end`` (µs; both are taken to quarters of an hour, on which local
    days begin everywhere), by group: days in their order, all else with the dearest first. Raises KeyError."""
    name, column = GROUPS[group]
    first, after = start // BUCKET, -(-end // BUCKET)
    names = Names(db, pending)
    parts = list(_written(db, first, after, column)) if db else []
    parts += (part for part in _unwritten(db, pending) if first <= part[0] < after)
    sums = add_up((name(names, quarter, who, model), columns) for quarter, who, model, columns in parts)
    rows = [
        UsageRow(key=key, agent=agent, project=project, spent=to_spent(columns))
        for (key, agent, project), columns in sums.items()
        if any(columns)
    ]
    if group == "day":
        return sorted(rows, key=lambda row: row.key)
    return sorted(rows, key=lambda row: (-row.spent.cost, -row.spent.usage.total, row.key, row.agent))


class Names:
    """Whose the work of a session is."""

    def __init__(self, db: sqlite3.Connection | None, pending: Pending) -> None:
        self._db = db
        self._pending = pending.sessions
        self._owners: dict[Who, tuple[str, str, str]] = {}

    def owner(self, who: Who) -> tuple[str, str, str]:
        """The id and project of the session itself, or of the one that a hidden thread serves; and the project that
        its work counts for, which is the thread's where that of the other is not known."""
        if who not in self._owners:
            self._owners[who] = self._find(who)
        return self._owners[who]

    def _find(self, who: Who) -> tuple[str, str, str]:
        (agent, owner), known = who, ""
        for _ in range(_STEPS):
            project, serves = self._session((agent, owner))
            known = project or known
            if not serves or serves == owner:
                break
            owner = serves
        return owner, self._session((agent, owner))[0], known

    def _session(self, who: Who) -> tuple[str, str]:
        row = self._pending.get(who)
        if row:
            return row.project, row.serves
        known = self._db and self._db.execute("SELECT project, serves FROM session WHERE agent = ? AND id = ?", who)
        return (known and known.fetchone()) or ("", "")


def _day(_names: Names, quarter: int, _who: Who, _model: Who) -> Who3:
    moment = datetime.fromtimestamp(quarter * BUCKET // SECOND, UTC)
    return moment.astimezone().date().isoformat(), "", ""


def _agent(_names: Names, _quarter: int, who: Who, _model: Who) -> Who3:
    return who[0], "", ""


def _model(_names: Names, _quarter: int, _who: Who, model: Who) -> Who3:
    return model[0], "", ""


def _project(names: Names, _quarter: int, who: Who, _model: Who) -> Who3:
    return names.owner(who)[2], "", ""


def _session(names: Names, _quarter: int, who: Who, _model: Who) -> Who3:
    owner, project, _ = names.owner(who)
    return owner, who[0], project


Who3 = tuple[str, str, str]
# How a part of the sums is named, and the column of ``used`` that says so.
GROUPS: Final[dict[str, tuple[Callable[[Names, int, Who, Who], Who3], str]]] = {
    "day": (_day, "quarter"),
    "agent": (_agent, "session"),
    "model": (_model, "model"),
    "project": (_project, "session"),
    "session": (_session, "session"),
}
_NAMED: Final = {
    "quarter": "SELECT ?, '', '', '', ''",
    "session": "SELECT 0, agent, id, '', '' FROM session WHERE number = ?",
    "model": "SELECT 0, '', '', model, provider FROM model WHERE number = ?",
}


def _written(db: sqlite3.Connection, first: int, after: int, column: str) -> Iterator[Part]:
    query = f"SELECT {column}, {SUMS} FROM used WHERE quarter >= ? AND quarter < ? GROUP BY {column}"
    for number, *columns in db.execute(query, (first, after)).fetchall():
        if not any(columns):  # a call that was replaced by one of another time
            continue
        quarter, agent, session, model, provider = db.execute(_NAMED[column], (number,)).fetchone()
        yield quarter, (agent, session), (model, provider), tuple(columns)


def _unwritten(db: sqlite3.Connection | None, pending: Pending) -> Iterator[Part]:
    """What writing the pending calls would change."""
    for key, call in pending.calls.items():
        old = db.execute(_OLD, key).fetchone() if db else None
        who = (call.agent, call.session)
        if old:
            at, model, provider, *columns = old
            yield at // BUCKET, who, (model, provider), tuple(-count for count in columns)
        yield call.at // BUCKET, who, (call.model, call.provider), _sums(call)


def _sums(call: CallRow) -> tuple[int, ...]:
    return tuple(sums_of_calls([call_columns(call, 0, 0)]))
