"""A pseudo-terminal, to drive full-screen CLIs like a user does."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.realcli.processes import default_signals
from tests.e2e.realcli.screen import Screen


class Terminal:
    """A program running in a pseudo-terminal of its own session."""

    def __init__(self, log: Path, columns: int = 130, rows: int = 45) -> None:
        self.screen = Screen(columns, rows)
        self.process: asyncio.subprocess.Process | None = None
        self._master = -1
        self._log = log.open("ab", buffering=0)

    async def start(self, argv: list[str], env: dict[str, str], cwd: Path) -> asyncio.subprocess.Process:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", self.screen.rows, self.screen.columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)

        def controlling_terminal() -> None:
            default_signals()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        try:
            self.process = await asyncio.create_subprocess_exec(
                *argv,
                env=env,
                cwd=cwd,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                preexec_fn=controlling_terminal,
            )
        finally:
            os.close(slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self.process

    def _read(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other end open any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self._log.write(data)
        if answer := self.screen.feed(data):
            self.send(answer)

    def send(self, data: bytes) -> None:
        """Send key strokes."""
        with contextlib.suppress(OSError):  # the program may be gone
            os.write(self._master, data)

    def shows(self, pattern: str) -> bool:
        return re.search(pattern, self.screen.text()) is not None

    async def wait_for(self, condition: str | Callable[[], bool], within: float) -> bool:
        """Wait until the screen matches a pattern (or the condition holds)."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.shows(condition) if isinstance(condition, str) else condition():
                return True
            if self.process and self.process.returncode is not None:
                return False
            await asyncio.sleep(0.1)
        return False

    def close(self) -> None:
        """Close the window: the program gets SIGHUP."""
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1
