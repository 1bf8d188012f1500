"""Where hook programs and monitors meet, and what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimond.hooks.message import Delivered

ROOT = Path(__file__).parents[2]
PROGRAM = str(ROOT / "aimond" / "commands" / "hook.py")
BARE = [sys.executable, "-I", "-S"]
ALONE = [*BARE, PROGRAM]
COMMAND = [sys.executable, "-m", "aimond", "hook"]
STOP = {"session_id": "s", "hook_event_name": "Stop", "cwd": "/home/dev/a"}
SOON = 3.0  # seconds: 0.2 and what a busy machine adds


def descriptors() -> set[str]:
    """What this process has open."""
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208  (a Path would keep one open)


@dataclass
class Ran:
    """A hook program that has ended."""

    status: int
    output: bytes
    errors: bytes
    seconds: float


@dataclass
class Desk:
    """A user's runtime directory, and hook programs that run there."""

    runtime: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.socket = self.runtime / "aimond" / "hook"
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime)}

    def start(self, *words: str, how: list[str] = ALONE, **more: Any) -> subprocess.Popen[bytes]:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | more.pop("streams", {})
        return subprocess.Popen([*how, *words], env=self.environment, cwd=ROOT, **streams, **more)

    def run(self, *words: str, given: bytes | dict[str, Any] = b"", **more: Any) -> Ran:
        """Run a hook program to its end, as a CLI does. ``given`` is its stdin."""
        began = time.monotonic()
        program = self.start(*words, **more)
        output, errors = program.communicate(given if isinstance(given, bytes) else json.dumps(given).encode(), 20)
        return Ran(program.returncode, output or b"", errors or b"", time.monotonic() - began)

    async def runs(self, *words: str, **more: Any) -> Ran:
        """The same, while the loop goes on."""
        return await asyncio.to_thread(lambda: self.run(*words, **more))


class Told:
    """What a monitor has been told so far. Its clock is the real one, unless ``now`` (µs) says otherwise."""

    def __init__(self) -> None:
        self.hooks: list[Delivered] = []
        self.counts: dict[str, int] = {}
        self.now = 0

    def clock(self) -> int:
        return self.now * 1000 or time.time_ns()

    @property
    def hook(self) -> Delivered:
        """The only one."""
        (hook,) = self.hooks
        return hook

    @property
    def dropped(self) -> dict[str, int]:
        return {why: count for why, count in self.counts.items() if count and why != "delivered"}

    async def until(self, messages: int) -> None:
        """Wait until that many have been taken or dropped."""
        async with asyncio.timeout(10):
            while True:
                if sum(self.counts.values()) >= messages:
                    break
                await asyncio.sleep(0.002)
