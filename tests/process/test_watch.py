"""Exits are told at once, once, and of the right process."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import time

import pytest

from aimond.process import proc, watch
from aimond.process.watch import Exits
from tests.process.living import Child, Run, end, reborn, running

WAITING = ["/bin/sh", "-c", "echo ready; read nothing"]

Who = tuple[int, int]


class Ear:
    """Notes who is gone, and when."""

    def __init__(self) -> None:
        self.heard: list[Who] = []
        self.at = 0.0
        self._any = asyncio.Event()

    def gone(self, pid: int, start: int) -> None:
        self.heard.append((pid, start))
        self.at = time.perf_counter()
        self._any.set()

    async def hears(self, *who: Who) -> None:
        """Wait for exactly these, and that nothing is told twice."""
        async with asyncio.timeout(5):
            while len(self.heard) < len(who):
                self._any.clear()
                await self._any.wait()
        await asyncio.sleep(0.02)
        assert sorted(self.heard) == sorted(who)


def another() -> Child:
    return subprocess.Popen(["/bin/sleep", "60"], text=True, process_group=0)


def who(process: Child) -> Who:
    return process.pid, proc.started(process.pid)


def test_an_exit_is_told_at_once_and_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    async def story(process: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        them = who(process)
        assert exits.watch(*them)
        assert len(exits) == 1
        await asyncio.sleep(0.02)
        assert ear.heard == []
        killed = time.perf_counter()
        process.kill()  # and nobody waits for it: it stays a zombie
        await ear.hears(them)
        assert len(exits) == 0
        late = ear.at - killed
        with capsys.disabled():
            print(f"\nexit told after {late * 1000:.1f} ms", end=" ")
        assert late < 0.5

    with running(WAITING) as process:
        run(story(process))


def test_all_that_exit_together_are_told(run: Run) -> None:
    async def story(processes: list[Child]) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        them = [who(process) for process in processes]
        assert [exits.watch(*each) for each in them] == [True] * 3
        for process in processes:
            process.kill()
        await ear.hears(*them)

    with running(WAITING) as first, running(WAITING) as second, running(WAITING) as third:
        run(story([first, second, third]))


def test_a_process_that_is_watched_twice_is_told_once(run: Run) -> None:
    async def story(process: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        them = who(process)
        assert exits.watch(*them)
        assert exits.watch(*them)
        assert len(exits) == 1
        process.kill()
        await ear.hears(them)

    with running(WAITING) as process:
        run(story(process))


def test_who_is_already_gone_is_not_watched(run: Run) -> None:
    async def story(them: Who) -> None:
        assert not Exits(Ear().gone).watch(*them)
        assert not proc.is_alive(*them)

    with running(WAITING) as process:
        them = who(process)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        run(story(them))  # a zombie
    run(story(them))


@pytest.mark.parametrize(("pid", "start"), [(0, 0), (-1, 5), (2**22 + 1, 5), (2**40, 5)])
def test_what_is_no_process_is_not_watched(run: Run, pid: int, start: int) -> None:
    async def story() -> None:
        assert not Exits(Ear().gone).watch(pid, start)

    run(story())


def test_a_process_that_started_at_another_time_is_another(run: Run) -> None:
    async def story(process: Child) -> None:
        exits = Exits(Ear().gone)
        pid, start = who(process)
        assert not exits.watch(pid, start - 1)
        assert not exits.watch(pid, 0)
        assert len(exits) == 0

    with running(WAITING) as process:
        run(story(process))


def test_a_pid_that_was_given_again_is_another_process(run: Run) -> None:
    async def story(before: Who, after: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        assert after.pid == before[0]
        assert not proc.is_alive(*before)
        assert not exits.watch(*before)
        them = who(after)
        assert exits.watch(*them)
        after.kill()
        await ear.hears(them)

    with running(WAITING) as first:
        before = who(first)
    time.sleep(0.03)  # starts are told in hundredths of a second
    second = reborn(before[0], another)
    if second is None:
        pytest.skip("needs CAP_CHECKPOINT_RESTORE: the same with a made-up start is tested above")
    try:
        run(story(before, second))
    finally:
        end(second)


def test_a_pid_that_was_given_again_before_the_exit_was_told_is_watched_too(run: Run) -> None:
    async def story(first: Child) -> Child | None:
        ear = Ear()
        exits = Exits(ear.gone)
        before = who(first)
        assert exits.watch(*before)
        await asyncio.sleep(0.03)
        end(first)
        second = reborn(before[0], another)
        if second:
            assert exits.watch(*who(second))
        await ear.hears(before)
        exits.close()
        return second

    with running(WAITING) as first:
        second = run(story(first))
    if second is None:
        pytest.skip("needs CAP_CHECKPOINT_RESTORE")
    end(second)


def test_nothing_is_told_after_the_end(run: Run) -> None:
    async def story(first: Child, second: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        exits.watch(*who(first))
        exits.watch(*who(second))
        exits.forget(*who(first))
        exits.forget(1, 1)
        first.kill()
        second.kill()
        exits.close()
        exits.close()
        await asyncio.sleep(0.05)
        assert ear.heard == []
        assert len(exits) == 0

    with running(WAITING) as first, running(WAITING) as second:
        run(story(first, second))


def test_only_so_many_are_watched_and_room_is_made_by_exits(run: Run) -> None:
    async def story(first: Child, second: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone, most=1)
        them = who(first)
        assert exits.watch(*them)
        assert not exits.watch(*who(second))
        first.kill()
        await ear.hears(them)
        assert exits.watch(*who(second))
        exits.close()

    with running(WAITING) as first, running(WAITING) as second:
        run(story(first, second))


def test_without_a_file_descriptor_to_spare_nothing_is_watched(run: Run) -> None:
    async def story(process: Child) -> None:
        exits = Exits(Ear().gone)
        them = who(process)
        usual = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.open("/dev/null", os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 1, usual[1]))
        try:
            assert not exits.watch(*them)  # /proc is not to be read either
            os.close(spare)
            assert exits.watch(*them) is False  # one: for the pidfd or for /proc
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        assert exits.watch(*them)
        exits.close()

    with running(WAITING) as process:
        run(story(process))


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_without_pidfds_is_asked_once(run: Run, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    asked: list[int] = []

    def refuse(pid: int) -> int:
        asked.append(pid)
        raise OSError(code, "pidfd_open")

    async def story(process: Child) -> None:
        exits = Exits(Ear().gone)
        assert not exits.watch(*who(process))
        assert not exits.watch(*who(process))
        assert asked == [process.pid]

    monkeypatch.setattr(watch, "_pidfd_open", refuse)
    with running(WAITING) as process:
        run(story(process))


def test_a_python_that_was_built_for_old_kernels_calls_by_number(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(process: Child) -> None:
        ear = Ear()
        exits = Exits(ear.gone)
        them = who(process)
        assert exits.watch(*them)
        process.kill()
        await ear.hears(them)
        process.wait()
        assert not exits.watch(*them)

    monkeypatch.setattr(watch, "_pidfd_open", watch._by_number)
    with running(WAITING) as process:
        run(story(process))


def test_a_reader_that_fails_keeps_nobody_from_hearing_of_the_others(run: Run) -> None:
    async def story(processes: list[Child]) -> None:
        ear = Ear()
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))

        def gone(pid: int, start: int) -> None:
            ear.gone(pid, start)
            raise RuntimeError("no")

        exits = Exits(gone)
        them = [who(process) for process in processes]
        for each in them:
            exits.watch(*each)
        for process in processes:
            process.kill()
        await ear.hears(*them)
        assert len(complaints) == 2

    with running(WAITING) as first, running(WAITING) as second:
        run(story([first, second]))


def test_one_exit_may_end_the_watch_over_all(run: Run) -> None:
    def kill(processes: list[Child]) -> None:
        for process in processes:
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    async def story(processes: list[Child]) -> None:
        heard: list[int] = []

        def gone(pid: int, start: int) -> None:
            heard.append(pid)
            exits.close()

        exits = Exits(gone)
        for process in processes:
            exits.watch(*who(process))
        kill(processes)  # the loop finds both at once
        await asyncio.sleep(0.05)
        assert len(heard) == 1

    with running(WAITING) as first, running(WAITING) as second:
        run(story([first, second]))
