"""Requests that are not understood yet: the first is at once, those of a flood together, and as if they were one.

To understand one costs two thirds as much right after another: its code and its sessions are still in the caches of the
CPU, where the kernel and other processes have taken their place by the time that a CLI has sent the next.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from aimond.otlp.record import Batch

# Seconds: it is a flood where a request comes so soon after another one was understood; then it waits for others so
# long at most, and for a millisecond more where the loop's timers are no finer.
FLOOD: Final = 0.0005
GATHER: Final = 0.002
AT_ONCE: Final = 16  # requests; others must not wait for their answers meanwhile


class Backlog:
    """What was accepted, in its order. ``understand`` is given the requests to be understood together, and does
    not raise."""

    def __init__(self, understand: Callable[[list[Batch]], None]) -> None:
        self._understand = understand
        self._waiting: deque[Batch] = deque()
        self._understood = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, batch: Batch) -> None:
        """Let it be understood in a moment."""
        self._waiting.append(batch)
        if len(self._waiting) > 1:
            return
        loop = asyncio.get_running_loop()
        if time.monotonic() - self._understood < FLOOD:
            loop.call_later(GATHER, self._some)
        else:
            loop.call_soon(self._some)

    def empty(self) -> None:
        """Understand all of it now."""
        while self._waiting:
            self._take(len(self._waiting))

    def _some(self) -> None:
        if self._waiting:
            self._take(min(len(self._waiting), AT_ONCE))
        self._understood = time.monotonic()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._some)

    def _take(self, number: int) -> None:
        self._understand([self._waiting.popleft() for _ in range(number)])
