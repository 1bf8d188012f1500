"""Time from a hook to Notify at a notification daemon, against a server that knows what it will say."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.bench.figure import Figure
from tests.bench.servers import serving

SAMPLES: Final = 1000
WARM_UP: Final = 100
PART: Final = 250
REST: Final = 0.002  # seconds
BARS: Final = ((50, 3.0), (99, 5.0))  # percentiles
NAME: Final = "org.freedesktop.Notifications"
PATH: Final = "/org/freedesktop/Notifications"


class Daemon:
    """Answers at once, and notes when it was called; ``shown`` are the numbers on its screen."""

    def __init__(self, bus: MessageBus) -> None:
        self._calls: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self.shown: set[int] = set()
        self._last = 0
        bus.add_message_handler(self._answer)

    def _answer(self, call: Message) -> Message | bool:
        if call.message_type is not MessageType.METHOD_CALL or call.path != PATH:
            return False
        at = time.perf_counter()
        match call.member:
            case "GetCapabilities":
                return Message.new_method_return(call, "as", [["actions", "body", "body-markup"]])
            case "Notify":
                self._last = call.body[1] or self._last + 1
                self.shown.add(self._last)
                self._calls.put_nowait((at, call.body[3]))
                return Message.new_method_return(call, "u", [self._last])
            case "CloseNotification":
                self.shown.discard(call.body[0])
                self._calls.put_nowait((at, ""))
                return True
        return Message.new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "")

    async def called(self) -> tuple[float, str]:
        """When it was called next, and with which text, "" for the end of one."""
        return await asyncio.wait_for(self._calls.get(), 5)

    @property
    def is_idle(self) -> bool:
        """Whether every call was asked for."""
        return self._calls.empty()


def _hook(place: Path, event: str, **more: object) -> float:
    """Do what a hook program does at its end; when that was."""
    payload = {"hook_event_name": event, "session_id": "0000-1", "cwd": "/src/web", **more}
    context = {"at": time.time_ns() // 1000, "pid": os.getpid(), "ppid": os.getppid()}
    message = json.dumps({"agent": "claude-code", "via": "hook", "context": context, "payload": payload}).encode()
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(place))
        sent = time.perf_counter()
        channel.sendall(message)
    return sent


async def measure() -> list[Figure]:
    """ms; samples of floor and aimond take turns."""
    pairs: list[tuple[float, float]] = []
    with serving(sessions=1) as servers:
        bus = await MessageBus(servers.bus.address).connect()
        daemon = Daemon(bus)
        await bus.request_name(NAME)
        aimond, floor = (servers.bus.directory / name for name in ("aimond/hook", "floor"))
        _hook(aimond, "SessionStart", source="startup")
        _hook(aimond, "UserPromptSubmit", prompt="go on")
        for _ in range(WARM_UP + SAMPLES):
            await asyncio.sleep(REST)
            sent = _hook(floor, "PermissionRequest", tool_name="Bash")
            at, _ = await daemon.called()
            without = (at - sent) * 1000
            await asyncio.sleep(REST)
            sent = _hook(aimond, "PermissionRequest", tool_name="Bash")
            at, text = await daemon.called()
            assert text == "Claude Code in web is waiting for you", text
            pairs.append((without, (at - sent) * 1000))
            await asyncio.sleep(REST)
            _hook(aimond, "PostToolUse", tool_name="Bash")
            assert (await daemon.called())[1] == "", "one Notify for one change"
            assert daemon.is_idle
        bus.disconnect()
    measured = pairs[WARM_UP:]
    parts = [measured[start : start + PART] for start in range(0, SAMPLES, PART)]
    return [Figure.of_samples(f"hook to Notify, p{n}", "ms", parts, partial(_percentile, n), bar) for n, bar in BARS]


def _percentile(n: int, samples: Sequence[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[n - 1]
