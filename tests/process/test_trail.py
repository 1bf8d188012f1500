"""The way from a process towards its window, of real processes."""

from __future__ import annotations

import os
import sys

from aimond.process import proc, trail
from tests.process.living import python, running


def test_a_trail_leads_upwards_and_names_terminals() -> None:
    with running(python(""), env={**os.environ, "WINDOWID": "8388620"}) as child:
        found = trail.trail(child.pid)
    assert [step.pid for step in found.steps][:2] == [child.pid, os.getpid()]
    assert found.steps[-1].pid == 1
    assert found.window == 8388620


def test_what_is_gone_has_no_trail() -> None:
    with running(python("")) as child:
        pass
    found = trail.trail(child.pid)
    assert (found.steps, found.window) == ((), 0)
    assert trail.children(child.pid) == []


def test_a_window_id_that_is_none_is_unknown() -> None:
    for text in ("", "0x80", "-1", "9" * 40):
        with running(python(""), env={"WINDOWID": text}) as child:
            assert trail.trail(child.pid).window == 0


def test_a_terminals_children_are_those_with_terminals_of_their_own() -> None:
    code = """
import pty, subprocess
for _ in range(2):
    main, end = pty.openpty()
    how = {"start_new_session": True, "preexec_fn": lambda end=end: __import__("fcntl").ioctl(end, 0x540E, 0)}
    subprocess.Popen(["sleep", "60"], stdin=end, **how)
subprocess.Popen(["sleep", "60"], start_new_session=True)
"""
    with running(
        [sys.executable, "-c", f"{code}\nprint('ready', flush=True)\nimport time\ntime.sleep(60)"]
    ) as terminal:
        kids = trail.children(terminal.pid)
        try:
            assert len(kids) == 2
            assert len(proc.children(terminal.pid)) == 3
            assert [kid.pid for kid in kids] == sorted(kid.pid for kid in kids)
            assert all(-1 < kid.age < 60 for kid in kids)
            assert [trail.trail(kid.pid).steps[0].tty[:9] for kid in kids] == ["/dev/pts/"] * 2
        finally:
            for pid in proc.children(terminal.pid):
                os.kill(pid, 9)
