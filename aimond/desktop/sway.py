"""The windows of Sway, or of i3: the same protocol."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from aimond.desktop.i3ipc import Connection, Event, Kind, understood
from aimond.desktop.sockets import Arrivals, candidates
from aimond.desktop.windows import News, Window

_LOG: Final = logging.getLogger(__name__)

EVENTS: Final = '["window", "workspace", "shutdown"]'
# A new socket is there a moment before somebody listens at it (Sway 1.7): how often it is tried again, in seconds.
TRIES: Final = (0.0, 0.05, 0.2, 1.0)
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 60.0
LASTED: Final = 10.0
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_TITLE: Final = 1024

# What windows tell all the time and nobody needs is not even parsed; "change" is the first key (Sway 1.7, i3 4.22).
_HEAD: Final = 40
_CHANGES: Final = ("new", "close", "focus", "title", "move")


class Sway:
    """``Windows`` by the IPC of Sway 1.7 and i3 4.22; i3 tells no process, only the X11 window."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._known: dict[int, Window] = {}
        self._focused = 0
        self._told: Callable[[News], None] = _nobody
        self._awaited: tuple[str, asyncio.Future[int]] | None = None
        self._looking: set[asyncio.Task[None]] = set()

    @property
    def is_expected(self) -> bool:
        return bool(candidates())

    @property
    def known(self) -> dict[int, Window]:
        return self._known

    @property
    def focused(self) -> int:
        return self._focused

    async def look(self) -> None:
        if self._connection:
            try:
                tree = await self._connection.ask(Kind.GET_TREE)
            except ConnectionError as error:
                _LOG.debug("no tree: %s", error)
                return
            nodes = list(_nodes(tree))
            self._known = dict(sorted((window.id, window) for node in nodes if (window := _window(node))))
            self._focused = next((node["id"] for node in nodes if node.get("focused") is True), 0)

    async def focus(self, window: int) -> bool:
        return await self._command(window, "focus")

    async def set_urgent(self, window: int, urgent: bool) -> None:
        await self._command(window, f"urgent {'enable' if urgent else 'disable'}")

    async def titled(self, text: str, seconds: float) -> int:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._awaited = text, awaited
        try:
            async with asyncio.timeout(seconds):
                return await awaited
        except TimeoutError:
            return 0
        finally:
            self._awaited = None

    async def run(self, told: Callable[[News], None]) -> None:
        self._told = told
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            self._connection = await self._find()
            began = loop.time()
            try:
                await self._follow(self._connection)
            except ConnectionError as error:
                _LOG.debug("%s", error)
            finally:
                await self._connection.close()
                self._connection, self._known, self._focused = None, {}, 0
            told(News.WINDOWS)
            pause = FIRST_PAUSE if loop.time() - began > LASTED else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _find(self) -> Connection:
        """The first that listens, now or as soon as there is one."""
        with Arrivals() as arrivals:
            while True:
                for delay in TRIES:
                    await asyncio.sleep(delay)
                    for path in candidates():
                        try:
                            return await Connection.open(path, self._heard)
                        except (OSError, TimeoutError) as error:
                            if error.errno in _EXHAUSTED:
                                raise  # else it would be thought that nobody listens
                            _LOG.debug("%s: %s", path, error)
                await arrivals.wait()

    async def _follow(self, connection: Connection) -> None:
        await connection.ask(Kind.SUBSCRIBE, EVENTS)
        await self.look()
        self._told(News.WINDOWS)
        self._told(News.FOCUS)
        await connection.gone()

    async def _command(self, window: int, command: str) -> bool:
        if self._connection is None:
            return False
        try:
            answers = await self._connection.ask(Kind.RUN_COMMAND, f"[con_id={window}] {command}")
        except ConnectionError as error:
            _LOG.debug("%s of a window: %s", command, error)
            return False
        return isinstance(answers, list) and all(
            isinstance(answer, dict) and answer.get("success") is True for answer in answers
        )

    # -- events -------------------------------------------------------------------------------------

    def _heard(self, kind: int, body: bytes) -> None:
        if kind == Event.WINDOW and not self._matters(body[:_HEAD]):
            return
        try:
            event = understood(body)
        except ConnectionError:
            return
        if not isinstance(event, dict):
            return
        if kind == Event.WINDOW and (window := _window(event.get("container"))):
            self._changed(str(event.get("change")), window)
        elif kind == Event.WORKSPACE and event.get("change") == "focus":
            current = event.get("current")
            if isinstance(current, dict) and not current.get("focus"):  # of a workspace without windows only this tells
                self._focused = 0
                self._told(News.FOCUS)

    def _matters(self, head: bytes) -> bool:
        change = head.partition(b":")[2].partition(b'"')[2].partition(b'"')[0].decode(errors="replace")
        return change in _CHANGES and (change != "title" or self._awaited is not None)

    def _changed(self, change: str, window: Window) -> None:
        if change == "title":
            if self._awaited and self._awaited[0] in window.title and not self._awaited[1].done():
                self._awaited[1].set_result(window.id)
        elif change == "focus":
            self._focused = window.id
            self._told(News.FOCUS)
        elif change == "new":
            self._known[window.id] = window
            self._told(News.WINDOWS)
        elif change == "close":
            self._known.pop(window.id, None)
            if self._focused == window.id:
                self._focused = 0
                self._told(News.FOCUS)
            self._told(News.WINDOWS)
        elif window.id == self._focused:  # moved: nothing tells whether the focus went with it
            looking = asyncio.get_running_loop().create_task(self._look_again())
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)

    async def _look_again(self) -> None:
        before = self._focused
        await self.look()
        if self._focused != before:
            self._told(News.FOCUS)


def _nobody(_news: News) -> None:
    pass


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All containers of a tree."""
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        if isinstance(node, dict) and isinstance(node.get("id"), int):
            yield node
            for below in ("nodes", "floating_nodes"):
                children = node.get(below)
                ahead += children if isinstance(children, list) else []


def _window(node: Any) -> Window | None:
    """A container as a window; None if it is none."""
    if not isinstance(node, dict):
        return None
    number, pid, x11 = (
        value if isinstance(value := node.get(key), int) and value > 0 else 0 for key in ("id", "pid", "window")
    )
    if not number or not (pid or x11):
        return None
    return Window(id=number, pid=pid, title=str(node.get("name") or "")[:_TITLE], x11=x11)
