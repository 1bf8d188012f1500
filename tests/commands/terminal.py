"""A terminal of 80 × 24 with a program in it, and what stands on its screen (pyte is the emulator)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pyte

from tests.busdaemon import PrivateBus

WIDTH, HEIGHT = 80, 24
PATIENCE = 20  # seconds


class Terminal:
    """What a running program shows."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written = b""
        self._descriptor = descriptor
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)
        self._told = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._take)

    def _take(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # nobody has it open any more
            asyncio.get_running_loop().remove_reader(self._descriptor)
            return
        self.written += data
        self._stream.feed(data)
        self._told.set()

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def reversed(self) -> list[str]:
        """The lines that begin in reverse."""
        return [line for at, line in enumerate(self.lines) if self._screen.buffer[at][0].reverse]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something is so on the screen."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            raise AssertionError(f"the screen stayed so:\n{self.text}") from None

    async def shows(self, *texts: str) -> None:
        """Wait until all of these stand on the screen."""
        await self.until(lambda: all(text in self.text for text in texts))

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def resize(self, width: int, height: int) -> None:
        self._screen.resize(height, width)
        termios.tcsetwinsize(self._descriptor, (height, width))
        self.process.send_signal(signal.SIGWINCH)

    def settings(self) -> list[Any]:
        """As tcgetattr gives them."""
        return termios.tcgetattr(self._descriptor)


@asynccontextmanager
async def terminal(bus: PrivateBus, *arguments: str, **environment: str) -> AsyncIterator[Terminal]:
    """Run ``aimond`` with these arguments in a terminal."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (HEIGHT, WIDTH))
    usual = {name: value for name, value in bus.environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aimond", *arguments),
        env={**usual, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    shown = Terminal(ours, process)
    try:
        yield shown
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        os.close(theirs)
