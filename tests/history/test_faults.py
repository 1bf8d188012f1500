"""What goes wrong with disks and files: the monitor goes on, says so, and loses nothing that it can keep."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from aimond.core.rows import Rows
from aimond.history import store as of_store
from aimond.history.pending import Pending
from aimond.history.store import Store
from tests.history.desk import AGENT, EVER, NOON, Told, call, calls, opened, session, shell, sound, spent

ONE = {AGENT: (1, Decimal("0.5"))}
TWO = {AGENT: (2, Decimal(1))}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_store, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(of_store, "LONGEST_PAUSE", 0.02)


async def true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (of another thread, which tells nobody)
            await asyncio.sleep(0.005)


async def recovers(store: Store, told: Told, path: Path, expected: int = 2) -> None:
    """By itself: nobody asks and nothing is put."""
    await true(lambda: told.last == "")
    assert await store.written()
    assert await spent(store) == {AGENT: (expected, Decimal("0.5") * expected)}
    assert sound(path)


# -- disks ------------------------------------------------------------------------------------------


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process may grow beyond that: writing then fails as on a full disk, but as EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


async def test_a_disk_that_takes_no_more_is_told_and_written_to_when_it_does(path: Path) -> None:
    told = Told()
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await store.written()
        with small_files(16_384):
            store.put(calls(call("b"), call("a")))
            assert not await store.written()
            assert str(path) in told.last
            assert await spent(store) == TWO
        await recovers(store, told, path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("only root can mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_is_told_and_written_to_when_there_is_room(disk: Path) -> None:
    told, path = Told(), disk / "history.sqlite3"
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await store.written()
        ballast = disk / "ballast"
        fill(ballast)
        store.put(calls(call("b"), *(call(str(number), cost="0") for number in range(2000))))
        assert not await store.written()
        assert told == [f"{path}: the disk is full"]
        assert await spent(store) == {AGENT: (2002, Decimal(1))}
        ballast.unlink()
        await true(lambda: told.last == "")
        assert await store.written()
        assert await spent(store) == {AGENT: (2002, Decimal(1))}
        assert sound(path)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


# -- directories and locks ---------------------------------------------------------------------------


async def test_a_file_that_another_program_has_locked_is_written_to_later(path: Path) -> None:
    told = Told()
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await store.written()
        with closing(shell(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.put(calls(call("b")))
            assert not await store.written()
            assert told.last == f"{path}: another program has it locked"
            assert await spent(store) == TWO
            other.execute("ROLLBACK")
        await recovers(store, told, path)


async def test_a_file_that_is_locked_at_the_start_is_remembered_all_the_same(path: Path) -> None:
    """What is sent again after a crash would else be counted again."""
    async with opened(path) as store:
        store.put(Rows(sessions=[session("s1")], calls=[call("a")]))
        assert await store.written()
    told = Told()
    with closing(shell(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with opened(path, told) as store:
            (past,) = store.past(0, 10)
            assert "a" in past.keys and told.last == ""
            other.execute("ROLLBACK")


async def test_asking_does_not_put_off_the_next_try(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_store, "FIRST_PAUSE", 0.2)
    monkeypatch.setattr(of_store, "LONGEST_PAUSE", 3600)
    told = Told()
    async with opened(path, told) as store:
        assert await store.written()
        become_directory(path)
        store.put(calls(call("a")))
        for _ in range(30):
            assert await spent(store) == ONE
        assert told.last == f"{path}: Is a directory"
        be_gone(path)
        await recovers(store, told, path, 1)


def be_gone(directory: Path) -> None:
    directory.rmdir()


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


async def test_a_directory_that_cannot_be_made_is_tried_again(path: Path) -> None:
    told = Told()
    path.parent.parent.write_text("in the way")
    async with opened(path, told) as store:
        await true(lambda: str(path) in told.last)
        assert store.past(0, 9) == []
        store.put(calls(call("a")))
        assert await spent(store) == ONE
        assert not await store.written()
        path.parent.parent.unlink()
        await recovers(store, told, path, 1)


async def test_a_disk_that_is_read_only_is_tried_again(disk: Path) -> None:
    told, path = Told(), disk / "aimond" / "history.sqlite3"
    remount(disk, "ro")
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await spent(store) == ONE
        assert not await store.written()
        assert told == [f"{path}: Read-only file system"]
        remount(disk, "rw")
        await recovers(store, told, path, 1)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


async def test_a_directory_that_nobody_may_write_to_is_tried_again(path: Path) -> None:
    """As root may write to every directory, it is a dangling link there."""
    told = Told()
    path.parent.parent.mkdir(parents=True)
    path.parent.symlink_to("gone")
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await spent(store) == ONE
        assert str(path) in told.last
        (path.parent.parent / "gone").mkdir()
        await recovers(store, told, path, 1)


async def test_a_file_that_is_deleted_meanwhile_is_begun_anew(path: Path) -> None:
    async with opened(path) as store:
        store.put(calls(call("a")))
        assert await store.written()
        shutil.rmtree(path.parent)
        store.put(Rows(sessions=[session()], calls=[call("b")]))
        assert await store.written()
        assert await spent(store) == ONE
    assert sound(path)


# -- files -------------------------------------------------------------------------------------------


async def filled(path: Path) -> None:
    async with opened(path) as store:
        store.put(Rows(sessions=[session()], calls=[call(f"{number:06}" * 10) for number in range(3000)]))


def content(path: Path) -> bytes:
    return path.read_bytes()


def damaged(path: Path, damage: str) -> bytes:
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:100] = os.urandom(100)
    if damage == "text":
        content[:] = b"this is no database\n" * 100
    if damage == "cut":
        del content[5000:]
    if damage == "middle":
        for page in range(4096 * 4, len(content), 4096):
            content[page : page + 64] = bytes([255]) * 64
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("damage", ["header", "text", "cut", "middle"])
async def test_a_broken_file_is_moved_away_and_a_new_one_is_begun(path: Path, damage: str) -> None:
    await filled(path)
    broken = damaged(path, damage)
    told = Told()
    async with opened(path, told) as store:
        store.past(0, 10)
        store.put(calls(*(call(f"{number:06}" * 10) for number in range(0, 3000, 7))))
        assert await store.written()
        assert len(told) == 1
        assert "was broken; it is now history.sqlite3.broken-" in told.last
        ((requests, _),) = (await spent(store)).values()
        assert requests == 429
    (aside,) = [file for file in path.parent.iterdir() if ".broken-" in file.name and "-wal" not in file.name]
    assert content(aside)[:5000] == broken[:5000]
    assert sound(path)


async def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    await filled(path)
    with closing(shell(path)) as db:
        db.execute("PRAGMA user_version = 999")
    before, told = content(path), Told()
    async with opened(path, told) as store:
        await true(lambda: "later version" in told.last)
        store.put(calls(call("a")))
        assert await store.written()
        assert await spent(store) == ONE
    assert content(path) == before
    assert len(told) == 1


async def test_a_database_that_is_not_ours_is_left_alone(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(shell(path)) as db:
        db.execute("CREATE TABLE mine (a)")
    told = Told()
    async with opened(path, told) as store:
        store.put(calls(call("a")))
        assert await spent(store) == ONE
        assert "is not ours" in told.last
    with closing(shell(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]


# -- rows --------------------------------------------------------------------------------------------


async def test_a_row_that_cannot_be_written_does_not_keep_the_others_from_it(path: Path) -> None:
    told = Told()
    async with opened(path, told) as store:
        store.put(calls(call("a"), call("\ud800"), call("b"), call("c", at=2**70)))
        assert await store.written()
        assert await spent(store) == TWO
        assert "a row could not be written" in told.last
    assert sound(path)


def test_what_cannot_be_written_does_not_grow_without_end() -> None:
    pending = Pending(most=100)
    for number in range(1000):
        name = f"s{number}"
        pending.add(Rows(sessions=[session(name)], calls=[call("a", name), call("b", name)]))
    assert (len(pending.calls), len(pending.sessions), len(pending.cuts), pending.lost) == (100, 10, 10, 1900)
    assert [key[1] for key in pending.calls][-1] == "s999"


async def test_lost_calls_are_told_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    path.parent.parent.write_text("in the way")
    async with opened(path, told) as store:
        store.put(calls(*(call(str(number)) for number in range(60_000))))
        assert not await store.written()
        assert told.last.endswith("the oldest calls are being lost")
        ((requests, _),) = (await spent(store)).values()
        assert requests == 50_000


# -- the loop ----------------------------------------------------------------------------------------


async def test_the_loop_goes_on_while_the_file_is_locked(path: Path) -> None:
    async with opened(path) as store:
        with closing(shell(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = asyncio.gather(*(store.usage(*EVER, "day") for _ in range(5)))
            store.put(calls(call("a", at=NOON)))
            turns = 0
            while not asked.done():
                store.put(calls(call(str(turns % 1000))))
                await asyncio.sleep(0)
                turns += 1
            assert turns > 100
            other.execute("ROLLBACK")
        assert await store.written()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM call").fetchone() == (1 + min(turns, 1000),)
