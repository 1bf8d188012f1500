"""Keeps the history from growing without end: what is too old goes, and beyond a size what is oldest."""

from __future__ import annotations

import sqlite3
from typing import Final

from aimond.core.ledger import BUCKET

DAY: Final = 96  # quarters of an hour
# Sessions that are deleted in one transaction, and pages that are given back in one: other work waits meanwhile.
_SESSIONS: Final = 200
_PAGES: Final = 512
# Thresholds of budgets, of which a period of each budget has a few.
_CROSSED: Final = 10_000

_LAST: Final = "max(last_at, last_seen, started_at, ended_at)"
_OLD_SESSIONS: Final = (
    f"SELECT number FROM session WHERE {_LAST} < ? AND NOT EXISTS (SELECT 1 FROM call WHERE session = session.number) "
    f"LIMIT {_SESSIONS}"
)


def size(db: sqlite3.Connection) -> int:
    """Bytes of the pages that are in use."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page,) = db.execute("PRAGMA page_size").fetchone()
    return int(page * (pages - free))


def oldest_day_ends(db: sqlite3.Connection) -> int:
    """The quarter of an hour until which to delete, to drop the oldest day; within one day, its older half."""
    (first, last) = db.execute("SELECT min(quarter), max(quarter) FROM used").fetchone()
    (heard,) = db.execute(f"SELECT min({_LAST}) / {BUCKET} FROM session").fetchone()
    if first is None:
        return int(heard or 0) + DAY
    return int(min(first + DAY, (first + last) // 2 + 1))


def delete_some(db: sqlite3.Connection, before: int) -> bool:
    """Delete what is older than that quarter of an hour, a day at a time; whether there was any. Within a transaction
    of the caller."""
    db.execute("DELETE FROM crossed WHERE number <= (SELECT max(number) FROM crossed) - ?", (_CROSSED,))
    (first,) = db.execute("SELECT min(quarter) FROM used").fetchone()
    if first is None or first >= before:
        sessions = db.execute(_OLD_SESSIONS, (before * BUCKET,)).fetchall()
        db.executemany("DELETE FROM session WHERE number = ?", sessions)
        return bool(sessions)
    until = min(first + DAY, before)
    for (session,) in db.execute("SELECT DISTINCT session FROM used WHERE quarter < ?", (until,)).fetchall():
        for table, time in (("call", "at"), ("counted", "at"), ("turn", "max(started, ended)")):
            db.execute(f"DELETE FROM {table} WHERE session = ? AND {time} < ?", (session, until * BUCKET))
    db.execute("DELETE FROM used WHERE quarter < ?", (until,))
    return True


def give_back(db: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; whether there were any."""
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    if free:
        db.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    return bool(free)
