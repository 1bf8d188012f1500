"""Messages of hook programs off a socket: one connection, one message, no answer.

A stream, whose end is the message's: a datagram or packet must fit into the socket's buffer, and asyncio and systemd
are made for streams. There is one timer while connections are open, and none while nobody says anything.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct, field

from aimond.hooks.listen import BACKLOG
from aimond.hooks.message import MAX_MESSAGE, Delivered, Flaw, Malformed, delivered

_LOG: Final = logging.getLogger(__name__)

MAX_OPEN: Final = 64  # connections; more wait in the backlog
MAX_BUFFERED: Final = 64 * 2**20  # bytes of all messages together
PATIENCE: Final = 2.0  # seconds for a message to be complete; our own programs give up after 0.15
FAREWELL: Final = 0.15  # seconds, at the end, for those who have connected; so long our own programs try
BREATH: Final = 1.0  # seconds without a new connection when there are no file descriptors left
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid

Consume = Callable[[Delivered], None]


@asynccontextmanager
async def receiving(
    consume: Consume, listener: socket.socket, *, clock: Callable[[], int] = time.time_ns
) -> AsyncIterator[dict[str, int]]:
    """Takes messages from the listening socket, without closing it; gives how many were delivered, and dropped why.
    At the end, all who have connected by then are heard, if they speak at once.

    ``consume`` must return at once; ``clock`` is in ns.
    """
    listener.setblocking(False)
    receiver = _Receiver(consume, listener, clock)
    receiver.accept_more()
    try:
        yield receiver.counts
    finally:
        await receiver.stop()


class _Message(Struct):
    pid: int
    due: float
    text: bytearray = field(default_factory=bytearray)


class _Receiver:
    def __init__(self, consume: Consume, listener: socket.socket, clock: Callable[[], int]) -> None:
        self.counts: Final = {"delivered": 0} | dict.fromkeys(map(str, Flaw), 0)
        self._consume = consume
        self._listener = listener
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._open: dict[socket.socket, _Message] = {}  # the oldest first
        self._buffered = 0
        self._all_said: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None

    # -- connections --------------------------------------------------------------------------------

    def accept_more(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Hear those who have connected, and accept no more."""
        for _ in range(1 + BACKLOG // MAX_OPEN):
            self._accept()
        if self._open:
            self._all_said = self._loop.create_future()
            await asyncio.wait([self._all_said], timeout=FAREWELL)
        for connection, message in list(self._open.items()):
            if message.text:
                self._give_up(connection, Flaw.TOO_SLOW)
            else:
                self._close(connection)
        self._loop.remove_reader(self._listener)
        if self._pause:
            self._pause.cancel()

    def _accept(self) -> None:
        for _ in range(MAX_OPEN):  # then it is the turn of others
            if len(self._open) >= MAX_OPEN:
                self._loop.remove_reader(self._listener)
                return
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                _LOG.warning("hooks must wait: %s", error)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(BREATH, self.accept_more)
                return
            self._meet(connection)

    def _meet(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _gid = _CREDENTIALS.unpack(credentials)
        if uid not in (os.geteuid(), 0):
            connection.close()
            self._drop(Flaw.STRANGER)
            return
        connection.setblocking(False)
        self._open[connection] = _Message(pid, self._loop.time() + PATIENCE)
        self._read(connection)  # most have said everything by now
        if connection in self._open:
            self._loop.add_reader(connection, self._read, connection)
            self._watch_the_oldest()

    def _close(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        connection.close()
        self._buffered -= len(self._open.pop(connection).text)
        if len(self._open) == MAX_OPEN - 1 and not self._pause:
            self.accept_more()
        if not self._open:
            if self._watch:
                self._watch.cancel()
                self._watch = None
            if self._all_said and not self._all_said.done():
                self._all_said.set_result(None)

    # -- messages -----------------------------------------------------------------------------------

    def _read(self, connection: socket.socket) -> None:
        message = self._open[connection]
        try:
            while chunk := connection.recv(2**18):
                message.text += chunk
                self._buffered += len(chunk)
                if len(message.text) > MAX_MESSAGE or self._buffered > MAX_BUFFERED:
                    flaw = Flaw.TOO_LARGE if len(message.text) > MAX_MESSAGE else Flaw.TOO_MUCH
                    return self._give_up(connection, flaw)
        except BlockingIOError:
            return None
        except OSError:
            return self._give_up(connection, Flaw.BROKEN_OFF)
        self._close(connection)
        if message.text:  # else somebody looked whether we live
            self._deliver(message)
        return None

    def _deliver(self, message: _Message) -> None:
        try:
            self._consume(delivered(bytes(message.text), self._clock() // 1000, message.pid))
            self.counts["delivered"] += 1
        except Malformed as malformed:
            self._drop(malformed.flaw)
        except Exception:
            if self._counted(Flaw.NOT_UNDERSTOOD):
                _LOG.exception("a hook was not understood; please report this")

    def _give_up(self, connection: socket.socket, flaw: Flaw) -> None:
        self._close(connection)
        self._drop(flaw)

    def _drop(self, flaw: Flaw) -> None:
        if self._counted(flaw):
            _LOG.warning("dropped what a hook said, %s: %d so far", flaw.replace("_", " "), self.counts[flaw])

    def _counted(self, flaw: Flaw) -> bool:
        """Count it, and tell whether to log it: the 1st, 10th, 100th…"""
        self.counts[flaw] += 1
        return str(self.counts[flaw]).strip("0") == "1"

    # -- time: one timer, for the oldest connection -------------------------------------------------

    def _watch_the_oldest(self) -> None:
        if self._open and not self._watch:
            oldest = next(iter(self._open.values()))
            self._watch = self._loop.call_at(oldest.due, self._cut)

    def _cut(self) -> None:
        self._watch = None
        now = self._loop.time()
        for connection, message in list(self._open.items()):
            if message.due <= now:
                self._read(connection)  # it may be we who are late
                if connection in self._open:
                    self._give_up(connection, Flaw.TOO_SLOW)
        self._watch_the_oldest()
