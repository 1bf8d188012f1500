"""The spool against crashes, full disks and damage."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimond.forward import segment, spool
from aimond.forward.reading import Reader
from aimond.forward.spool import Spool, SpoolInUse

LIMIT = 10**6


def write(writer: Spool, *bodies: bytes) -> tuple[int, str]:
    return writer.append((1, "logs", "protobuf", body) for body in bodies)


def read(directory: Path) -> list[bytes]:
    """Everything that has not been acknowledged."""
    with reading(directory) as reader:
        return [entry.body for entry in reader.read(10**9)]


@contextmanager
def reading(directory: Path) -> Iterator[Reader]:
    reader = Reader(directory)
    try:
        yield reader
    finally:
        reader.close()


@given(st.lists(st.sampled_from(["write", "read", "ack", "new writer", "new reader"]), max_size=60))
def test_whatever_is_written_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    writer, reader = Spool(directory, LIMIT), Reader(directory)
    written, last, acknowledged = 0, 0, 0
    for step in [*steps, "new reader", "read"]:
        if step == "write":
            written += 1
            write(writer, b"%d" % written * 5000)
        elif step == "read":
            for entry in reader.read(40_000):
                last += 1
                assert (entry.number, entry.body) == (last, b"%d" % last * 5000)
        elif step == "ack":
            acknowledged = last
            reader.acknowledge(last)
        elif step == "new writer":
            writer.close()
            writer = Spool(directory, LIMIT)
        else:
            reader.close()
            reader, last = Reader(directory), acknowledged
        assert reader.lost == 0
    rest = [entry.number for entry in reader.read(10**9)]
    assert rest == list(range(last + 1, written + 1))
    writer.close()
    reader.close()


def test_what_is_sent_is_removed(tmp_path: Path) -> None:
    writer = Spool(tmp_path, 160_000)
    write(writer, *[bytes(5000)] * 10)
    with reading(tmp_path) as reader:
        reader.acknowledge(reader.read(10**9)[-1].number)
    assert len(segment.found(tmp_path)) == 1
    writer.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    writer = Spool(directory, LIMIT)
    write(writer, b"secret")
    spool.instance(directory)
    with reading(directory):
        pass
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    writer.close()


def test_two_cannot_write_to_one_spool(tmp_path: Path) -> None:
    writer = Spool(tmp_path, LIMIT)
    with pytest.raises(SpoolInUse):
        Spool(tmp_path, LIMIT)
    writer.close()
    Spool(tmp_path, LIMIT).close()


@pytest.mark.parametrize("cut", [1, 5, 99, 101, 125])
def test_a_torn_end_costs_nothing_but_itself(tmp_path: Path, cut: int) -> None:
    writer = Spool(tmp_path, LIMIT)
    write(writer, b"one", b"x" * 100)
    writer.close()
    (_, path) = segment.found(tmp_path)[0]
    os.truncate(path, path.stat().st_size - cut)
    with reading(tmp_path) as reader:
        assert [entry.body for entry in reader.read(10**9)] == [b"one"]
        writer = Spool(tmp_path, LIMIT)
        write(writer, b"two")
        assert [entry.body for entry in reader.read(10**9)] == [b"two"]
        assert reader.lost == 0  # the number of what was torn is given anew
    writer.close()


def test_one_that_is_damaged_is_skipped_and_counted(tmp_path: Path) -> None:
    writer = Spool(tmp_path, LIMIT)
    write(writer, b"one", b"two", b"three")
    (_, path) = segment.found(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"two", b"owt"))
    with reading(tmp_path) as reader:
        assert [entry.body for entry in reader.read(10**9)] == [b"one", b"three"]
        assert reader.lost == 1
    writer.close()


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_damage_is_survived(tmp_path_factory: pytest.TempPathFactory, damage: bytes, at: int) -> None:
    directory = tmp_path_factory.mktemp("spool")
    writer = Spool(directory, LIMIT)
    write(writer, *(b"%d" % n * 20 for n in range(5)))
    writer.close()
    (_, path) = segment.found(directory)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    writer = Spool(directory, LIMIT)
    write(writer, b"after")
    assert read(directory)[-1] == b"after"
    writer.close()


WRITER = """
import itertools, sys
from pathlib import Path
from aimond.forward.spool import Spool
writer = Spool(Path(sys.argv[1]), 10**8)
for n in itertools.count(1):
    writer.append([(1, "logs", "protobuf", b"%d" % n * 1000)])
    print(n, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_had_written(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(300):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    last = int(rest[-1]) if rest else last
    writer = Spool(tmp_path, 10**8)
    write(writer, b"after")
    bodies = read(tmp_path)
    assert bodies[:last] == [b"%d" % n * 1000 for n in range(1, last + 1)]
    assert bodies[-1] == b"after" and len(bodies) <= last + 2
    writer.close()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a full disk: no file can grow beyond that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_loses_the_new_and_keeps_the_old(tmp_path: Path) -> None:
    writer = Spool(tmp_path, LIMIT)
    with files_up_to(3000):
        lost, why = write(writer, *(b"%d" % n * 1000 for n in range(6)))
    assert lost == 4 and "spool cannot be written" in why
    assert write(writer, b"after") == (0, "")
    assert read(tmp_path) == [b"0" * 1000, b"1" * 1000, b"after"]
    writer.close()


@pytest.mark.parametrize("what", ["*.otlp", "*"])
def test_one_that_is_deleted_is_made_anew(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "spool"
    writer = Spool(directory, LIMIT)
    write(writer, b"one")
    with reading(directory) as reader:
        assert [entry.body for entry in reader.read(10**9)] == [b"one"]
        for each in directory.glob(what):
            each.unlink()
        if what == "*":
            directory.rmdir()
        assert write(writer, b"two", b"three") == (0, "")
        assert [entry.body for entry in reader.read(10**9)] == [b"two", b"three"]
        reader.acknowledge(2)
    assert read(directory) == [b"three"]
    with pytest.raises(SpoolInUse):
        Spool(directory, LIMIT)
    writer.close()


def test_a_number_that_was_sent_is_given_to_no_other(tmp_path: Path) -> None:
    """What was written is deleted, where it was of one signal only that all was taken."""
    writer = Spool(tmp_path, LIMIT)
    write(writer, b"one", b"two")
    with reading(tmp_path) as reader:
        reader.accept("logs", reader.read(10**9)[-1].number)
    writer.close()
    for each in tmp_path.glob("*.otlp"):
        each.unlink()
    writer = Spool(tmp_path, LIMIT)
    write(writer, b"three")
    with reading(tmp_path) as reader:
        assert [reader.is_accepted(entry) for entry in reader.read(10**9)] == [False]
    writer.close()


def test_a_reader_that_is_behind_counts_what_was_dropped(tmp_path: Path) -> None:
    writer = Spool(tmp_path, 160_000)
    with reading(tmp_path) as reader:
        write(writer, *(b"%d" % n * 2000 for n in range(10, 30)))
        first = reader.read(1)
        write(writer, *(b"%d" % n * 2000 for n in range(30, 99)))
        rest = reader.read(10**9)
        assert len(first) + len(rest) + reader.lost == 89
        assert rest[-1].body == b"98" * 2000
        assert reader.lost > 0
        assert writer.size <= 160_000
    writer.close()


def test_the_name_of_a_monitor_stays(tmp_path: Path) -> None:
    name = spool.instance(tmp_path)
    assert len(name) == 32 and spool.instance(tmp_path) == name
