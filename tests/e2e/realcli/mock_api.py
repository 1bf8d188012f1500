"""What the three mock model APIs share: prompt directives, the ledger of requests, the HTTP server.

The prompt says what the mock model shall do, in a directive

    [[step;step;...]]

The n-th model call after that prompt plays step n:

    text:WORDS      final answer
    slow:SECONDS    final answer, streamed word by word for that long;  slow:/PATH: until there is such a file
    bash:COMMAND    ask for the CLI's shell tool
    outside:COMMAND the same, asking to leave the CLI's sandbox where it has one (so it must ask the user)
    agent           start a sub-agent, which itself runs one shell command and answers
    err:STATUS      answer with that HTTP status;  err:STATUSxN: only the first N times, then a final answer
    label:NAME      (first step only, plays nothing) name noted in the ledger, to tell concurrent sessions apart
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]
DIRECTIVE = re.compile(r"\[\[([^\[\]]+)\]\]")
FINAL_STEPS = ("text", "slow", "err")  # an err:STATUSxN that is over
SUBAGENT_PROMPT = "You are a helper. [[bash:echo from-sub;text:sub done]]"


@dataclass(frozen=True)
class Plan:
    """A parsed directive."""

    text: str = ""
    label: str = ""
    steps: tuple[str, ...] = ()

    @classmethod
    def find(cls, prompt: str) -> Plan | None:
        """The last directive in a prompt, or None."""
        found = DIRECTIVE.findall(prompt)
        if not found:
            return None
        steps = [step for step in found[-1].split(";") if step]
        label = steps.pop(0)[6:] if steps and steps[0].startswith("label:") else ""
        return cls(found[-1], label, tuple(steps))

    def step(self, index: int) -> tuple[str, str]:
        """(kind, argument) of the model call number `index` (from 0) after the prompt."""
        kind, _, arg = (self.steps[index] if index < len(self.steps) else "text:done").partition(":")
        return kind, arg


class MockApi(ABC):
    """A provider's API on a free loopback port. `rows` has one entry per request to a model."""

    def __init__(self, on_event: Callable[[str, Json], None] = lambda _what, _row: None) -> None:
        self.rows: list[Json] = []
        self.other_paths: Counter[str] = Counter()
        self.url = ""
        self._on_event = on_event
        self._failed: Counter[tuple[str, int]] = Counter()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self, app: web.Application) -> None:
        """Add the provider's routes."""

    async def start(self) -> str:
        """Listen; returns the base URL."""
        app = web.Application(client_max_size=256 << 20)
        self.routes(app)
        app.router.add_route("*", "/{tail:.*}", self._unknown)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self.url

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _unknown(self, request: web.Request) -> web.Response:
        self.other_paths[f"{request.method} {request.path}"] += 1
        return web.json_response({"error": {"message": "mock: no such path"}}, status=404)

    # -- the ledger -------------------------------------------------------------------------------

    def open_row(self, *, kind: str, model: str, plan: Plan, index: int, step: str, **more: Any) -> Json:
        """Note a request that has just arrived. kind: main, subagent, or auxiliary (titles, routing...)."""
        row: Json = {
            "n": len(self.rows) + 1,
            "time_ns": time.time_ns(),
            "first_chunk_ns": None,
            "end_ns": None,
            "kind": kind,
            "label": plan.label,
            "model": model,
            "directive": plan.text,
            "index": index,
            "step": step,
            "status": None,
            "outcome": "open",
            "usage": None,
            **{k: v for k, v in more.items() if v is not None},
        }
        self.rows.append(row)
        self._on_event("request", row)
        return row

    def first_chunk(self, row: Json, usage: Json | None = None) -> None:
        """The answer has begun; `usage` is what the client has been told so far."""
        row.update(first_chunk_ns=time.time_ns(), status=200, usage=usage)
        self._on_event("first_chunk", row)

    def close_row(self, row: Json, outcome: str, *, status: int = 200, usage: Json | None = None) -> None:
        """outcome: completed, error or aborted (by the client)."""
        row.update(end_ns=time.time_ns(), outcome=outcome, status=status)
        if usage is not None:
            row["usage"] = usage
        self._on_event("response", row)

    def failure(self, row: Json, kind: str, arg: str) -> int | None:
        """The HTTP status to fail with, if this step says so (noted in the ledger)."""
        if kind != "err":
            return None
        status, _, times = arg.partition("x")
        key = (row["directive"], row["index"])
        if times and self._failed[key] >= int(times):
            return None
        self._failed[key] += 1
        self.close_row(row, "error", status=int(status))
        return int(status)

    @contextlib.asynccontextmanager
    async def streaming(self, row: Json) -> AsyncIterator[None]:
        """Marks the row as aborted when the client goes away inside the block."""
        try:
            yield
        except (ConnectionError, asyncio.CancelledError):
            if row["outcome"] == "open":
                self.close_row(row, "aborted")
            raise


async def sse(response: web.StreamResponse, data: Json, event: str | None = None) -> None:
    """Send one server-sent event."""
    head = f"event: {event}\n" if event else ""
    await response.write(f"{head}data: {json.dumps(data)}\n\n".encode())


async def slow_words(how_long: str) -> AsyncIterator[str]:
    """Words for so many seconds, or until there is a file of that name, a minute at most; about three a second."""
    gate = Path(how_long) if how_long.startswith("/") else None
    end = time.monotonic() + (60 if gate else float(how_long))
    count = 0
    while time.monotonic() < end and not (gate and gate.exists()):
        count += 1
        yield f"word{count} "
        await asyncio.sleep(0.3)
