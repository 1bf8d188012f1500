"""The history is locked or destroyed under a running monitor: totals stay right, and its user is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.bus.reader import eventually
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.faults.playing import FEW, KEPT, assert_all_right, understood


async def test_a_history_that_is_locked_while_tapes_play_is_written_afterwards(bus: PrivateBus, path: Path) -> None:
    async with live(bus, KEPT) as running:
        sent = await running.post(FEW[0])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for tape in FEW[1:]:
                sent += await running.post(tape)
            await understood(running, sent)
            await assert_all_right(running, running.reader, FEW)
            other.execute("ROLLBACK")
        await eventually(lambda: not running.daemon._answers.history_error)
        await assert_all_right(running, running.reader, FEW)
    async with live(bus, KEPT) as running:  # all of it is on disk
        await assert_all_right(running, running.reader, FEW)


async def test_a_history_that_is_destroyed_is_told_of_and_begun_anew(bus: PrivateBus, path: Path) -> None:
    async with live(bus, KEPT) as running:
        sent = await running.post(FEW[0])
        await understood(running, sent)
        await running.daemon._historian._store.written()
        # What is kept in SQLite's memory hides it for a while, as on a real disk.
        for file in path.parent.glob(f"{path.name}*"):
            if not file.name.endswith(".lock"):
                file.write_bytes(b"this is no database\n" * (file.stat().st_size // 20 + 1))
        for tape in FEW[1:]:
            sent += await running.post(tape)
        await understood(running, sent)
        shown = {session.id for session in running.daemon._spine.tracker.shown()}
        assert {session["Id"] for session in await running.reader.sessions()} == shown
        before = running.daemon._spine.tracker.ledger.since(0).requests
        assert before > 0
        await running.post(FEW[1])  # again: nothing is counted twice, though the file is another
        assert running.daemon._spine.tracker.ledger.since(0).requests == before
