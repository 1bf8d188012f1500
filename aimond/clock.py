"""The clock on the wall, which may be set, and the sleep of the machine: whoever waits by deadlines is told of both.

Timers of the loop run by CLOCK_MONOTONIC, which knows neither; deadlines and facts are times on the wall.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

# Less than this is taken along with what comes later, ns: clocks that are kept right drift all the time.
LEAST: Final = 500_000_000
# timerfd_create(2), Linux 2.6.25 and 3.0; a read fails with ECANCELED when the clock was set or the machine woke up.
_ABSOLUTE: Final = 1
_CANCEL_ON_SET: Final = 2
_FAR: Final = 2**62 // 10**9  # seconds since the epoch

Reading = tuple[int, int, int]


def read() -> Reading:
    """The time, ns: on the wall, since boot, and since boot without the sleep of the machine."""
    return time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def now() -> int:
    """µs since the epoch, on the wall."""
    return time.time_ns() // 1000


class Clock:
    """Tells ``moved`` by how much, µs: for how long the machine slept, and by how much the clock was set beside that.
    ``reading`` is ``read``, but in tests."""

    def __init__(self, moved: Callable[[int, int], None], reading: Callable[[], Reading] = read) -> None:
        self._moved, self._reading = moved, reading
        self._slept, self._set = self._offsets()

    def look(self) -> None:
        """The same as ``check`` for who asks with every request: neither a sleep nor a set clock leaves the time on the
        wall as far from that of timers as it was."""
        if abs(time.time_ns() - time.monotonic_ns() - self._slept - self._set) >= LEAST:
            self.check()

    def _offsets(self) -> tuple[int, int]:
        wall, boot, awake = self._reading()
        return boot - awake, wall - boot

    def check(self) -> None:
        """Look whether time has jumped; to be called before a deadline is judged."""
        before, (slept, set_) = (self._slept, self._set), self._offsets()
        if abs(slept - before[0]) >= LEAST or abs(set_ - before[1]) >= LEAST:
            self._slept, self._set = slept, set_
            self._moved((slept - before[0]) // 1000, (set_ - before[1]) // 1000)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Check as soon as the kernel says that there was a jump, where it does; that costs nothing meanwhile."""
        descriptor = _alarm()
        if descriptor < 0:
            yield
            return
        loop = asyncio.get_running_loop()

        def jumped() -> None:
            with suppress(OSError):  # ECANCELED, which is the news
                os.read(descriptor, 8)
            self.check()

        loop.add_reader(descriptor, jumped)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def _alarm() -> int:
    """A timer that only ever ends by the clock being set; -1 if there is none. (Python 3.13 has os.timerfd_create.)"""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        return -1
    never = struct.pack("4l", 0, 0, _FAR, 0)
    if libc.timerfd_settime(descriptor, _ABSOLUTE | _CANCEL_ON_SET, never, None) < 0:
        os.close(descriptor)
        return -1
    return descriptor
