"""What /proc tells of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from msgspec.structs import asdict

from aimond.process import proc
from tests.process.living import as_nobody, in_terminal, python, running, shell

NO_PIDS = [0, -1, 2**22 + 1, 2**40]


def test_a_process_is_read_as_it_is(tmp_path: Path) -> None:
    with running(python(""), cwd=tmp_path) as process:
        found = proc.read(process.pid)
        assert found
        assert (found.pid, found.parent, found.uid) == (process.pid, os.getpid(), os.getuid())
        assert found.comm == Path(f"/proc/{process.pid}/comm").read_text().strip()
        assert found.cwd == str(tmp_path)
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - found.start / os.sysconf("SC_CLK_TCK")
        assert 0 <= age < 30
        assert proc.started(process.pid) == found.start
        assert proc.is_alive(process.pid, found.start)
        assert not proc.is_alive(process.pid, found.start + 1)


@pytest.mark.parametrize("name", ["claude", "a b", "x) S 1 1 (y", ") R (", "new\nline", "tab\tend)", ")"])
def test_a_name_that_looks_like_the_rest_of_the_line_is_still_a_name(tmp_path: Path, name: str) -> None:
    with running(shell(tmp_path / name)) as process:
        found = proc.read(process.pid)
        assert found
        assert (found.comm, found.parent) == (name, os.getpid())


def test_a_process_that_renames_itself_is_called_so() -> None:
    with running(python("open('/proc/self/comm', 'wb').write(b'caf\\xc3\\xa9 \\xff) Z 0')")) as process:
        found = proc.read(process.pid)
        assert found
        assert (found.comm, found.parent) == ("café �) Z 0", os.getpid())


def test_its_terminal_is_the_one_that_controls_it_whatever_its_output_goes_to() -> None:
    with in_terminal(python("")) as (process, name):
        found = proc.read(process.pid)
        assert found
        assert found.tty == name
        assert found.tty.startswith("/dev/pts/")


def test_who_leaves_its_session_leaves_its_terminal() -> None:
    code = "if os.fork(): time.sleep(60)\nos.setsid()"
    with in_terminal(python(code)) as (process, name):
        (daemon,) = (pid for pid in proc.pids() if proc.parent(pid) == process.pid)
        parent, child = proc.read(process.pid), proc.read(daemon)
        assert parent
        assert child
        assert (parent.tty, child.tty) == (name, "")
        os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize(
    ("major", "minor", "name"),
    [
        (0, 0, ""),
        (136, 3, "/dev/pts/3"),
        (136, 300, "/dev/pts/300"),
        (136, 1 << 19, "/dev/pts/524288"),
        (137, 2, "/dev/pts/258"),
        (143, 255, "/dev/pts/2047"),
        (4, 1, "/dev/tty1"),
        (4, 64, "/dev/ttyS0"),
        (5, 1, ""),
        (229, 0, ""),
    ],
)
def test_terminals_by_number(major: int, minor: int, name: str) -> None:
    number = os.makedev(major, minor)
    assert proc.tty_name(number) == name
    assert proc.tty_name(number - (1 << 32) if number >= 1 << 31 else number) == name  # the kernel prints an int


@pytest.mark.parametrize("pid", NO_PIDS)
def test_nobody_has_that_pid(pid: int) -> None:
    assert proc.read(pid) is None
    assert (proc.started(pid), proc.parent(pid), list(proc.ancestors(pid))) == (0, 0, [])
    assert not proc.is_alive(pid, 0)
    assert (proc.content(pid, "stat", 100), proc.link(pid, "exe")) == (b"", "")


def test_who_has_exited_is_gone_even_before_anybody_noticed() -> None:
    process = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert "Z" in Path(f"/proc/{process.pid}/stat").read_text()
    assert proc.read(process.pid) is None
    assert proc.started(process.pid) == 0
    process.wait()
    assert proc.read(process.pid) is None


def test_of_somebody_elses_process_less_is_known() -> None:
    def look() -> dict[str, object]:
        found = proc.read(1)
        return asdict(found) if found else {}

    found = as_nobody(look)
    assert (found["pid"], found["uid"], found["cwd"], found["parent"]) == (1, 0, "", 0)
    assert found["comm"] == Path("/proc/1/comm").read_text().strip()
    assert as_nobody(lambda: proc.link(1, "exe")) == ""
    assert as_nobody(lambda: len(proc.content(1, "environ", 100))) == 0


def test_a_working_directory_that_was_removed_keeps_its_name(tmp_path: Path) -> None:
    gone, odd = tmp_path / "gone", tmp_path / "odd (deleted)"
    gone.mkdir()
    odd.mkdir()
    with running(python(""), cwd=gone) as first, running(python(""), cwd=odd) as second:
        gone.rmdir()
        found, other = proc.read(first.pid), proc.read(second.pid)
        assert found
        assert found.cwd == str(gone)
        assert other
        assert other.cwd == str(odd)


def test_the_ancestors_lead_to_init() -> None:
    with running(python("os.fork()")) as process:
        (grandchild,) = (pid for pid in proc.pids() if proc.parent(pid) == process.pid)
        found = list(proc.ancestors(grandchild))
        assert found[:2] == [process.pid, os.getpid()]
        assert found[-1] == 1


def test_no_more_ancestors_than_anybody_needs() -> None:
    # Each forks the next and waits; the last one says that all are there.
    code = "for i in range(40):\n if os.fork(): os.wait(); os._exit(0)"
    with running(python(code)) as process:
        family = [process.pid]
        while below := [pid for pid in proc.pids() if proc.parent(pid) == family[-1]]:
            family += below
        assert len(family) == 41
        found = list(proc.ancestors(family[-1]))
        assert found == family[-2:-34:-1]


def test_no_more_is_read_than_was_asked_for() -> None:
    with running(python(""), env={"LONG": "x" * 100_000}) as process:
        assert len(proc.content(process.pid, "environ", 70_000)) == 70_000
        assert len(proc.content(process.pid, "environ", 1 << 20)) == 100_006


def test_a_directory_of_a_long_name_that_is_gone_is_still_told(tmp_path: Path) -> None:
    """The kernel appends " (deleted)", and then the name is too long to be asked for."""
    directory = tmp_path / ("x" * 250)
    directory.mkdir()
    with subprocess.Popen(["sleep", "30"], cwd=directory) as process:
        try:
            directory.rmdir()
            found = proc.read(process.pid)
            assert found is not None
            assert found.cwd == str(directory)
        finally:
            process.kill()
