"""The protocol of i3 and Sway: questions, answers and events on one socket.

A message is ``i3-ipc``, the length of its body, its type, both of 32 bits in the machine's order, and JSON or text
(i3's ipc.html, sway-ipc(7) 1.7). Events have the highest bit of the type set and may come between question and answer.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from struct import Struct
from typing import Any, Final, Self

MAGIC: Final = b"i3-ipc"
HEADER: Final = Struct("=6sII")
EVENT: Final = 1 << 31
LONGEST: Final = 16 << 20  # bytes; the tree of 500 windows is 1 MB
PATIENCE: Final = 1.0  # seconds for an answer


class Kind(IntEnum):
    """Types of questions, and of their answers."""

    RUN_COMMAND = 0
    SUBSCRIBE = 2
    GET_TREE = 4


class Event(IntEnum):
    """Types of events."""

    WORKSPACE = EVENT | 0
    WINDOW = EVENT | 3
    SHUTDOWN = EVENT | 6


class Connection:
    """One connection; ``heard`` is called with the type and the body of every event."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[int, bytes], None]
    ) -> None:
        self._reader, self._writer, self._heard = reader, writer, heard
        self._asked: deque[asyncio.Future[bytes]] = deque()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(cls, path: str, heard: Callable[[int, bytes], None]) -> Self:
        """Connect to a socket; OSError or TimeoutError if nobody listens there."""
        async with asyncio.timeout(PATIENCE):
            return cls(*await asyncio.open_unix_connection(path), heard)

    async def ask(self, kind: Kind, text: str = "") -> Any:
        """The answer, as JSON has it. ConnectionError if none comes: then the connection is of no more use."""
        if self._reading.done():
            raise ConnectionError("the connection is closed")
        body = text.encode()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._writer.write(HEADER.pack(MAGIC, len(body), kind) + body)
        try:
            async with asyncio.timeout(PATIENCE):
                return understood(await answer)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._reading.cancel()  # else the answer would be taken for that of the next question
            if isinstance(error, TimeoutError):
                raise ConnectionError(f"no answer in {PATIENCE:g} s") from None
            raise

    async def gone(self) -> None:
        """Wait until the other side has closed the connection, or has said what cannot be understood."""
        await asyncio.wait([self._reading])

    async def close(self) -> None:
        """End the connection."""
        self._reading.cancel()
        await self.gone()

    async def _read(self) -> None:
        try:
            with suppress(OSError, EOFError):
                while True:
                    magic, length, kind = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                    if magic != MAGIC or length > LONGEST:
                        return
                    body = await self._reader.readexactly(length)
                    if kind & EVENT:
                        self._heard(kind, body)
                    elif self._asked:
                        answer = self._asked.popleft()
                        if not answer.done():
                            answer.set_result(body)
        finally:
            self._writer.close()
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection was closed"))


def understood(body: bytes) -> Any:
    """A body read as JSON; ConnectionError if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ConnectionError("what was said is no JSON") from None
