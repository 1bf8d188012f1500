"""Tells stories to a monitor under faults, and compares in the end what it says with what was told."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from aimond.bus.client import CallFailed, NotRunning
from aimond.bus.client import Monitor as Reader
from tests.bench.bodies import Post
from tests.busdaemon import PrivateBus
from tests.soak.faults import ENDS, OTHERS, Fault
from tests.soak.monitor import Monitor
from tests.soak.stories import PATHS, Story, Used, new_id, story

AT_ONCE: Final = 20  # stories
PER_SECOND: Final = 150  # requests
BREATH: Final = 1.0  # seconds between faults
# Seconds: what was sent so long before the monitor ended is sent again, as exporters do. A history that was locked for
# 4 s until then is tried again for as long.
AGAIN: Final = 10.0
EVER: Final = "2025-01-01/2029-12-31"
# Of the time: until when the monitor is killed too, and when growth begins to be measured. Between them it has to hear
# of some 5,000 sessions: by then it remembers as many as it may, hidden threads and those that are gone among them.
ENDING: Final = 0.2
WARM: Final = 0.75
GROWTH: Final = 6 * 2**20  # bytes beyond 3 MB for 10,000 sessions
PATIENCE: Final = 60.0


class Soak:
    """One run. ``run`` gives what is wrong, ``table`` what was done and measured."""

    def __init__(self, bus: PrivateBus, home: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stories = [each for path in PATHS if (each := story(path))]
        self.monitor = Monitor(bus, home)
        self.done, self.happened = Counter[str](), Counter[str]()
        self.expected: dict[str, Used] = {}
        self.shared: set[str] = set()
        self.known: set[str] = set()
        self.newest: deque[str] = deque(maxlen=60)
        self.recent: deque[tuple[float, Post]] = deque()
        self.figures: dict[str, Any] = {}
        self.is_over = False

    async def run(self, seconds: float) -> list[str]:
        began = time.monotonic()
        async with ClientSession(timeout=ClientTimeout(PATIENCE)) as self.session:
            faults = asyncio.ensure_future(self._faults(began, seconds))
            await self._tell(began, seconds)
            self.is_over = True
            await faults
            await asyncio.sleep(12)  # what only metrics tell of is waited for, 10 s
            self._measure("end")
            wrong = [*await self._compare(), *self._grown()]
        self.monitor.stop(kill=False)
        self.figures["minutes"] = round((time.monotonic() - began) / 60, 1)
        return [*wrong, *(f"in the log: {line}" for line in self.monitor.defects)]

    # -- what is told -------------------------------------------------------------------------------

    async def _tell(self, began: float, seconds: float) -> None:
        """Stories, side by side; those that are begun are told to their end."""
        open_: list[Iterator[Post]] = []
        while (elapsed := time.monotonic() - began) < seconds or open_:
            while len(open_) < AT_ONCE and elapsed < seconds:
                open_.append(self._begin(self.chance.choice(self.stories)))
            which = self.chance.randrange(len(open_))
            post = next(open_[which], None)
            if post is None:
                del open_[which]
                continue
            await self._send(post)
            ahead = self.done["requests"] / PER_SECOND - (time.monotonic() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)

    def _begin(self, one: Story) -> Iterator[Post]:
        self.done["stories"] += 1
        number = self.done["stories"]
        for recorded, used in one.truth.used.items():
            self.expected[new_id(recorded, number)] = used
        shown = {new_id(recorded, number) for recorded in one.truth.shown}
        self.shared |= {new_id(recorded, number) for recorded in one.truth.shared if len(recorded) == 36}
        self.known |= {new_id(recorded, number) for recorded in one.truth.seen}
        self.newest.extend(shown)
        return one.anew(number, time.time_ns())

    async def _send(self, post: Post) -> None:
        self.recent.append((time.monotonic(), post))
        while self.recent and self.recent[0][0] < time.monotonic() - 2 * AGAIN:
            self.recent.popleft()
        await self._deliver(post)
        self.done["requests"] += 1

    async def _deliver(self, post: Post) -> None:
        """As often as it takes."""
        url = f"http://127.0.0.1:{self.monitor.desktop.http}{post.path}"
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(ClientError, OSError, TimeoutError):
                    headers = {"Content-Type": post.content_type}
                    async with self.session.post(url, data=post.body, headers=headers) as answer:
                        await answer.read()
                        if answer.status == 200:
                            return
                self.done["tried again"] += 1
                await asyncio.sleep(0.05)

    # -- what happens -------------------------------------------------------------------------------

    async def _faults(self, began: float, seconds: float) -> None:
        """Each once, in another order each time."""
        left: list[Fault] = []
        while not self.is_over:
            await asyncio.sleep(self.chance.uniform(0, 2 * BREATH))
            elapsed = time.monotonic() - began
            if elapsed > WARM * seconds and "warm" not in self.figures:
                self._measure("warm")  # now: a fault takes memory while it lasts
            ends = ENDS if elapsed < ENDING * seconds else ()
            left = [fault for fault in left if fault not in ENDS or ends]
            if not left:
                left = self.chance.sample((*OTHERS, *ends), len(OTHERS) + len(ends))
            await self._happens(left.pop())

    async def _happens(self, fault: Fault) -> None:
        before = self.monitor.pid
        at = time.monotonic()
        try:
            with suppress(ConnectionError, FileNotFoundError, EOFError):  # one fault may hinder another
                await asyncio.wait_for(fault(self.monitor, self.chance), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"{fault.__name__} has not ended in {PATIENCE:g} s") from None
        self.happened[fault.__name__] += 1
        if self.monitor.pid != before:
            for sent, post in list(self.recent):
                if sent > at - AGAIN:
                    await self._deliver(post)
                    self.recent.append((time.monotonic(), post))  # it may have to be sent once more

    # -- what is so ---------------------------------------------------------------------------------

    def _measure(self, when: str) -> None:
        monitor = self.monitor
        self.figures[when] = {"private": monitor.private, "files": monitor.files, "sessions": len(self.expected)}
        self.figures["zombies"] = monitor.zombies

    def _grown(self) -> Iterator[str]:
        warm, end = self.figures["warm"], self.figures["end"]
        sessions = end["sessions"] - warm["sessions"]
        grown = end["private"] - warm["private"]
        self.figures["growth"] = f"{grown / 2**20:+.1f} MiB in {sessions} sessions"
        if grown > GROWTH + 3 * 2**20 * sessions / 10_000:
            yield f"memory grew by {grown / 2**20:.1f} MiB in {sessions} sessions"
        if end["files"] > warm["files"] + 10:
            yield f"open files: {warm['files']}, then {end['files']}"
        if self.figures["zombies"]:
            yield f"{self.figures['zombies']} zombies"

    async def _compare(self) -> list[str]:
        async with await self._reader() as reader:
            used = await self._used(reader)
            shown = [session["Id"] for session in await reader.sessions()]
        wrong = [
            f"session {id_}: told {self.expected.get(id_)}, is {used.get(id_)}"
            for id_ in (self.expected.keys() | used.keys()) - self.shared
            if self.expected.get(id_) != used.get(id_)
        ]
        told, shared = (added(each, self.shared) for each in (self.expected, used))
        if told != shared:
            wrong.append(f"sessions that are served by others: told {told}, are {shared}")
        self.figures["shown"] = len(shown)
        wrong += [f"{id_} is shown twice" for id_, times in Counter(shown).items() if times > 1]
        wrong += [f"{id_} is a ghost" for id_ in set(shown) - self.known]
        wrong += [f"{id_} is lost" for id_ in set(self.newest) - set(shown)]
        return wrong

    async def _used(self, reader: Reader) -> dict[str, Used]:
        rows = await reader.call("Usage", EVER, "session")
        return {row["Group"]: (row["Calls"], row["InputTokens"], row["OutputTokens"]) for row in rows}

    async def _reader(self) -> Reader:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(NotRunning, CallFailed):
                    async with await Reader.connect(self.monitor.bus.address) as reader:
                        await reader.sessions()
                    return await Reader.connect(self.monitor.bus.address)
                await asyncio.sleep(0.2)

    def table(self) -> Iterator[str]:
        told = sum(calls for calls, _, _ in self.expected.values())
        rows = {
            "minutes": self.figures["minutes"],
            "stories, requests": f"{self.done['stories']:,}, {self.done['requests']:,}",
            "sessions, calls": f"{len(self.expected):,}, {told:,}",
            "requests that were sent again": f"{self.done['tried again']:,}",
            **{f"fault: {name.replace('_', ' ')}": times for name, times in sorted(self.happened.items())},
            "sessions shown at the end": self.figures["shown"],
            "private memory, last quarter": self.figures["growth"],
            "open files, then and at the end": f"{self.figures['warm']['files']}, {self.figures['end']['files']}",
            "zombies": self.figures["zombies"],
            "defects in the log": len(self.monitor.defects),
        }
        width = max(map(len, rows))
        return (f"{name:<{width}}  {value}" for name, value in rows.items())


def added(used: dict[str, Used], sessions: set[str]) -> list[int]:
    """What they used together."""
    return [sum(used.get(id_, (0, 0, 0))[place] for id_ in sessions) for place in range(3)]
