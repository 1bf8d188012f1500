"""Rows into the tables, in one transaction, and what they used into the sums of their quarter of an hour."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aimond.core.ledger import BUCKET
from aimond.core.rows import CallRow
from aimond.history.columns import (
    BASIS,
    CALL,
    SESSION,
    SPENT,
    TURN,
    Columns,
    call_columns,
    marks,
    session_columns,
    sums_of_calls,
    turn_columns,
)
from aimond.history.pending import Pending

_SESSION: Final = (
    f"INSERT INTO session ({', '.join(SESSION)}) VALUES ({marks(len(SESSION))}) ON CONFLICT (agent, id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in SESSION if name not in ("agent", "id"))
)
_TURN: Final = (
    f"INSERT OR REPLACE INTO turn (session, {', '.join((*TURN, *SPENT))}) VALUES ({marks(1 + len(TURN + SPENT))})"
)
_COUNTED: Final = "INSERT OR REPLACE INTO counted (session, key, at) VALUES (?, ?, ?)"
_CALL: Final = f"INSERT INTO call ({', '.join(CALL)}) VALUES ({marks(len(CALL))}) ON CONFLICT DO NOTHING"
_OLD_CALL: Final = f"SELECT {', '.join(CALL)} FROM call WHERE session = ? AND key = ?"
_USED: Final = (
    f"INSERT INTO used (quarter, session, model, {', '.join(SPENT)}) VALUES ({marks(3 + len(SPENT))}) "
    "ON CONFLICT (quarter, session, model) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in SPENT)
)
_CROSSED: Final = 'INSERT INTO crossed (budget, "of", period, threshold) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'
# Numbers of sessions and models that are remembered.
_REMEMBERED: Final = 4096


class Writer:
    """Writes into one database, from one thread. Raises what sqlite3 raises, and then nothing has been written."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._sessions: dict[tuple[str, str], int] = {}
        self._models: dict[tuple[str, str], int] = {}

    def write(self, rows: Pending) -> None:
        """Write all of it, durably."""
        self.transaction(lambda: self._write(rows))

    def transaction(self, work: Callable[[], None]) -> None:
        """Do work in a transaction."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            work()
            self.db.execute("COMMIT")
        except BaseException:
            self.forget()
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def forget(self) -> None:
        """Remember no numbers: rows of theirs may be gone."""
        self._sessions.clear()
        self._models.clear()

    def _write(self, rows: Pending) -> None:
        db = self.db
        db.executemany(_SESSION, map(session_columns, rows.sessions.values()))
        for who, turns in rows.cuts.items():
            db.execute("DELETE FROM turn WHERE session = ? AND number > ?", (self._session(who), turns))
        for who, of_session in rows.turns.items():
            number = self._session(who)
            db.executemany(_TURN, [turn_columns(turn, number) for turn in of_session.values()])
        counted = rows.counted.values()
        db.executemany(_COUNTED, [(self._session((row.agent, row.session)), row.key, row.at) for row in counted])
        db.executemany(_CROSSED, [(row.budget, row.of, row.period, row.threshold) for row in rows.crossed])
        self._call(list(self._call_columns(rows.calls.values())))

    def _call_columns(self, rows: Iterable[CallRow]) -> Iterator[Columns]:
        agent = session = model = provider = ""
        of_session = of_model = 0
        for row in rows:
            # Calls of a session mostly come together.
            if not of_session or row.session != session or row.agent != agent:
                agent, session = row.agent, row.session
                of_session = self._session((agent, session))
            if not of_model or row.model != model or row.provider != provider:
                model, provider = row.model, row.provider
                of_model = self._model((model, provider))
            yield call_columns(row, of_session, of_model)

    def _call(self, calls: list[Columns]) -> None:
        """Write calls, of which no two have the same key. Nearly always all are new, and to ask would take as long
        as to write them."""
        self.db.execute("SAVEPOINT calls")
        new = self.db.executemany(_CALL, calls).rowcount if calls else 0
        if new < len(calls):
            self.db.execute("ROLLBACK TO calls")
            found = (self.db.execute(_OLD_CALL, call[:2]).fetchone() for call in calls)
            old = [call for call in found if call is not None]
            self._use(old, -1)
            self.db.executemany("DELETE FROM call WHERE session = ? AND key = ?", [call[:2] for call in old])
            self.db.executemany(_CALL, calls)
        self.db.execute("RELEASE calls")
        self._use(calls, 1)

    def _use(self, calls: list[Columns], sign: int) -> None:
        cells: defaultdict[Columns, list[Columns]] = defaultdict(list)
        for call in calls:
            cells[call[2] // BUCKET, call[0], call[3], call[BASIS]].append(call)
        self.db.executemany(
            _USED, [(*cell[:3], *(sign * count for count in sums_of_calls(part))) for cell, part in cells.items()]
        )

    def _session(self, who: tuple[str, str]) -> int:
        return self._sessions.get(who) or self._number(
            self._sessions,
            who,
            "SELECT number FROM session WHERE agent = ? AND id = ?",
            "INSERT INTO session (agent, id)",
        )

    def _model(self, model: tuple[str, str]) -> int:
        return self._models.get(model) or self._number(
            self._models,
            model,
            "SELECT number FROM model WHERE model = ? AND provider = ?",
            "INSERT INTO model (model, provider)",
        )

    def _number(self, known: dict[tuple[str, str], int], who: tuple[str, str], find: str, make: str) -> int:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = self.db.execute(find, who).fetchone()
        number: int = (found or self.db.execute(f"{make} VALUES (?, ?) RETURNING number", who).fetchone())[0]
        known[who] = number
        return number
