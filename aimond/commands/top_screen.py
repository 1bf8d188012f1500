"""The terminal of ``aimond top``: keys in, screens out; asleep until a key, a change, or the next age that is due."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import termios
import time
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from aimond.bus.client import CallFailed, NotRunning
from aimond.commands.follow import Follower
from aimond.commands.look import Session, fit
from aimond.commands.top_view import Shown, next_age, view

_KEY: Final = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|.", re.DOTALL)


class Screen:
    """One run of ``aimond top``."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._shown = Shown()
        self._follower = Follower(self._draw)
        self._done = asyncio.Event()
        self._acting: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._cookie: int | None = None

    async def run(self) -> int:
        """Until the user quits, or the terminal is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, self._draw)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._done.set)
        following = asyncio.ensure_future(self._follower.run())
        try:
            with _keys_at_once(), self._live:
                loop.add_reader(sys.stdin.fileno(), self._read)
                self._draw()
                await self._done.wait()
        finally:
            loop.remove_reader(sys.stdin.fileno())
            following.cancel()
            await asyncio.wait({following})
        return 0

    def _draw(self) -> None:
        mirror, now = self._follower.mirror, time.time()
        sessions = mirror.by_urgency()
        if self._shown.chosen not in mirror.sessions:
            self._shown.chosen = sessions[0]["Path"] if sessions else ""
        if mirror.off:
            self._cookie = None  # it was that monitor's
        self._shown.inhibits = self._cookie is not None
        self._shown.rates.note(sessions, now)
        width, height = self._console.size
        self._live.update(view(mirror, self._shown, width, height, _local(now)), refresh=True)
        self._wake([moment for moment in (next_age(mirror, now), self._shown.rates.next_change()) if moment], now)

    def _wake(self, moments: list[float], now: float) -> None:
        """Draw again at the first of these moments; it may be a second late, so that many are one."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if moments:
            self._timer = asyncio.get_running_loop().call_later(max(1.0, min(moments) - now), self._draw)

    def _read(self) -> None:
        typed = os.read(sys.stdin.fileno(), 1024)
        if not typed:
            self._done.set()
        for key in _KEY.findall(typed):
            if act := _KEYS.get(key):
                self._shown.message = ""
                acting = asyncio.ensure_future(self._act(act))
                self._acting.add(acting)
                acting.add_done_callback(self._acting.discard)

    async def _act(self, act: Callable[[Screen], Awaitable[None]]) -> None:
        try:
            await act(self)
        except (NotRunning, CallFailed) as error:
            self._shown.message = str(error)
        self._draw()

    def _chosen(self) -> Session | None:
        return self._follower.mirror.sessions.get(self._shown.chosen)

    async def _ask(self, member: str, *arguments: Any) -> Any:
        if not self._follower.monitor:
            raise NotRunning
        return await self._follower.monitor.call(member, *arguments)

    async def _of_chosen(self, member: str) -> Any:
        """What the monitor answers, asked of the chosen session; None if there is none."""
        session = self._chosen()
        return session and await self._ask(member, f"{session['Agent']}:{session['Id']}")

    async def _focus(self) -> None:
        if await self._of_chosen("Focus") is False:
            self._shown.message = "its terminal cannot be brought to the front"

    async def _acknowledge(self) -> None:
        await self._of_chosen("Acknowledge")

    async def _acknowledge_all(self) -> None:
        await self._ask("AcknowledgeAll")

    async def _explain(self) -> None:
        if self._shown.reasons is not None:
            self._shown.reasons = None
        elif session := self._chosen():
            self._shown.reasons = await self._of_chosen("Explain")
            self._shown.message = fit(f"{session['Agent']} {session['Project']} {session['Id']}", 200)

    async def _inhibit(self) -> None:
        if self._cookie is None:
            self._cookie = await self._ask("Inhibit", "aimond top", "asked for with i")
        else:
            cookie, self._cookie = self._cookie, None
            await self._ask("Uninhibit", cookie)

    async def _quit(self) -> None:
        self._done.set()

    async def _down(self) -> None:
        self._move(1)

    async def _up(self) -> None:
        self._move(-1)

    def _move(self, by: int) -> None:
        paths = [session["Path"] for session in self._follower.mirror.by_urgency()]
        if paths:
            at = paths.index(self._shown.chosen) if self._shown.chosen in paths else 0
            self._shown.chosen = paths[max(0, min(at + by, len(paths) - 1))]


_KEYS: Final[dict[bytes, Callable[[Screen], Awaitable[None]]]] = {
    **dict.fromkeys((b"\r", b"\n", b"f"), Screen._focus),
    **dict.fromkeys((b"\x1b[A", b"\x1bOA", b"k"), Screen._up),
    **dict.fromkeys((b"\x1b[B", b"\x1bOB", b"j"), Screen._down),
    b"a": Screen._acknowledge,
    b"A": Screen._acknowledge_all,
    b"e": Screen._explain,
    b"i": Screen._inhibit,
    b"q": Screen._quit,
}


@contextmanager
def _keys_at_once() -> Iterator[None]:
    """The terminal gives keys as they are typed and does not show them; Ctrl-Z, which would leave it so, is a key."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    during = termios.tcgetattr(descriptor)
    during[6][termios.VSUSP] = b"\0"
    termios.tcsetattr(descriptor, termios.TCSANOW, during)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _local(now: float) -> datetime:
    return datetime.fromtimestamp(now).astimezone()
