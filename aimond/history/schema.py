"""The tables of the history, version by version, and how a file of an older version becomes one of this."""

from __future__ import annotations

import sqlite3
from typing import Final

# In the header of the file, so that a stranger's database that lies in our place is not taken for ours ("aimd").
APPLICATION: Final = 0x61696D64

# One statement each; a version is never edited once it has been released, but followed by the next.
_FIRST: Final = (
    """CREATE TABLE session (
        number INTEGER PRIMARY KEY, agent TEXT NOT NULL, id TEXT NOT NULL,
        serves TEXT NOT NULL DEFAULT '', parent TEXT NOT NULL DEFAULT '', title TEXT NOT NULL DEFAULT '',
        version TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '', main_model TEXT NOT NULL DEFAULT '',
        project TEXT NOT NULL DEFAULT '', directory TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '',
        terminal TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0, pid_start INTEGER NOT NULL DEFAULT 0,
        hidden INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0, hooked INTEGER NOT NULL DEFAULT 0,
        asks INTEGER NOT NULL DEFAULT -1, state TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
        state_since INTEGER NOT NULL DEFAULT 0, evidence TEXT NOT NULL DEFAULT '',
        confidence TEXT NOT NULL DEFAULT '', turns INTEGER NOT NULL DEFAULT 0, tool_calls INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0, last_error_at INTEGER NOT NULL DEFAULT 0,
        last_error_class TEXT NOT NULL DEFAULT '', last_error TEXT NOT NULL DEFAULT '',
        started_at INTEGER NOT NULL DEFAULT 0, last_at INTEGER NOT NULL DEFAULT 0,
        last_seen INTEGER NOT NULL DEFAULT 0, ended_at INTEGER NOT NULL DEFAULT 0,
        end_reason TEXT NOT NULL DEFAULT '', intact INTEGER NOT NULL DEFAULT 0, UNIQUE (agent, id)) STRICT""",
    """CREATE TABLE model (
        number INTEGER PRIMARY KEY, model TEXT NOT NULL, provider TEXT NOT NULL,
        UNIQUE (model, provider)) STRICT""",
    """CREATE TABLE turn (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE, number INTEGER NOT NULL,
        started INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL, source TEXT NOT NULL,
        announced INTEGER NOT NULL, acknowledged TEXT NOT NULL,
        requests INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        tool_prompt INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
        cache_write_1h INTEGER NOT NULL, usd INTEGER NOT NULL, pico INTEGER NOT NULL, reported INTEGER NOT NULL,
        computed INTEGER NOT NULL, estimated INTEGER NOT NULL, table_usd INTEGER NOT NULL,
        table_pico INTEGER NOT NULL, tabled INTEGER NOT NULL, cut INTEGER NOT NULL,
        PRIMARY KEY (session, number)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE counted (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE, key TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (session, key)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE call (
        session INTEGER NOT NULL REFERENCES session, key TEXT NOT NULL, at INTEGER NOT NULL,
        model INTEGER NOT NULL,
        requests INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        tool_prompt INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
        cache_write_1h INTEGER NOT NULL, usd INTEGER, pico INTEGER, basis TEXT NOT NULL, estimated INTEGER NOT NULL,
        table_usd INTEGER, table_pico INTEGER,
        PRIMARY KEY (session, key)) STRICT, WITHOUT ROWID""",
    # Thresholds of budgets that were told.
    """CREATE TABLE crossed (
        number INTEGER PRIMARY KEY, budget TEXT NOT NULL, "of" TEXT NOT NULL, period TEXT NOT NULL,
        threshold INTEGER NOT NULL, UNIQUE (budget, "of", period, threshold)) STRICT""",
    # What the calls of a quarter of an hour used, by session and model: a month is a few ten thousand of these rows.
    # (No foreign keys: to delete a session would look through all of them. Models are never deleted.)
    """CREATE TABLE used (
        quarter INTEGER NOT NULL, session INTEGER NOT NULL, model INTEGER NOT NULL,
        requests INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        tool_prompt INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
        cache_write_1h INTEGER NOT NULL, usd INTEGER NOT NULL, pico INTEGER NOT NULL, reported INTEGER NOT NULL,
        computed INTEGER NOT NULL, estimated INTEGER NOT NULL, table_usd INTEGER NOT NULL,
        table_pico INTEGER NOT NULL, tabled INTEGER NOT NULL, cut INTEGER NOT NULL,
        PRIMARY KEY (quarter, session, model)) STRICT, WITHOUT ROWID""",
    # For people with a database shell.
    """CREATE VIEW calls AS SELECT datetime(call.at / 1000000, 'unixepoch', 'localtime') AS time,
        session.agent, session.id AS session, session.project, model.model, model.provider,
        input, cache_read, cache_write, tool_prompt, output, reasoning, usd + pico / 1e12 AS cost, basis
        FROM call JOIN session ON session.number = call.session JOIN model ON model.number = call.model""",
)

MIGRATIONS: Final = (_FIRST,)


class NewerError(Exception):
    """The file was written by a later version of aimond; it must be left alone."""


class StrangeError(Exception):
    """The file is a database, but not one of aimond."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database to this version, whole or not at all. Raises NewerError, StrangeError or sqlite3.Error."""
    version = _number(db, "user_version")
    if version and _number(db, "application_id") != APPLICATION:
        raise StrangeError
    if version > len(MIGRATIONS):
        raise NewerError(version)
    if version == len(MIGRATIONS):
        return
    if not version and _number(db, "schema_version"):
        raise StrangeError
    db.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _number(db: sqlite3.Connection, pragma: str) -> int:
    (number,) = db.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
