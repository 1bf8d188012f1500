"""The scenes: a CLI plays a scenario over a transport; and what the provider's ledger says of it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.monitor import Live
from tests.e2e.realcli.mock_api import FINAL_STEPS

Json = dict[str, Any]
AGENTS = {"claude": "claude-code", "codex": "codex", "gemini": "gemini-cli"}
WHOLE_INPUT = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "ToolPromptTokens")


@dataclass(frozen=True)
class Scene:
    """One run of a CLI. ``transport`` is ``http`` (protobuf from claude and codex, JSON from gemini) or ``grpc``."""

    cli: str
    scenario: str
    transport: str = "http"

    def __str__(self) -> str:
        return f"{self.cli}-{self.scenario}-{self.transport}"

    async def play(self, live: Live, out: Path) -> Played:
        """Play it to its end, with the telemetry going to aimond."""
        to = ["--grpc", live.grpc] if self.transport == "grpc" else ["--otlp", live.http]
        command = [sys.executable, "-m", "tests.e2e.realcli", "run", self.cli, self.scenario, "--out", str(out), *to]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()  # it ends its CLI itself
                await process.wait()
        assert process.returncode == 0, f"{self}: {said.decode()}"
        return Played(self, json.loads((out / "truth.json").read_text()))


@dataclass(frozen=True)
class Played:
    """A scene that was played, and its truth.json."""

    scene: Scene
    truth: Json

    @property
    def session(self) -> str:
        """The id of the one session the user had."""
        (session,) = {row["session_id"] for row in self.truth["sessions"] if row["kind"] == "main"}
        return str(session)

    @property
    def answers(self) -> list[Json]:
        """The calls that the provider answered in full, helpers' too, in the order of their ends."""
        rows = [row for row in self.truth["requests"] if row["outcome"] == "completed"]
        return sorted(rows, key=lambda row: row["end_ns"])

    @property
    def turns(self) -> list[list[Json]]:
        """The answers of each completed turn, the one that ended it last; hidden threads' are in none."""
        turns: list[list[Json]] = []
        own = [row for row in self.answers if row.get("thread_source", "user") == "user"]
        while ends := [n for n, row in enumerate(own, 1) if row["kind"] == "main" and step(row) in FINAL_STEPS]:
            turns.append(own[: ends[0]])
            own = own[ends[0] :]
        return turns

    @property
    def refused(self) -> list[Json]:
        """The calls that the provider answered with an error."""
        return [row for row in self.truth["requests"] if row["outcome"] == "error"]

    def bill(self, answers: list[Json]) -> Counter[str]:
        """What the provider billed for these answers, by the D-Bus properties that tell of it."""
        bill = Counter(dict.fromkeys([*WHOLE_INPUT, "OutputTokens", "ReasoningTokens"], 0))
        for row in answers:
            bill.update(LEDGERS[self.scene.cli](row["usage"]))
        return bill


Stage = Callable[[Scene], Awaitable[Played]]


def step(row: Json) -> str:
    """The kind of step that a call was answered with."""
    return str(row["step"]).partition(":")[0]


def _anthropic(usage: Json) -> dict[str, int]:
    return {
        "InputTokens": usage["input_tokens"],
        "CacheReadTokens": usage["cache_read_input_tokens"],
        "CacheWriteTokens": usage["cache_creation_input_tokens"],
        "OutputTokens": usage["output_tokens"],
    }


def _openai(usage: Json) -> dict[str, int]:
    cached = usage["input_tokens_details"]["cached_tokens"]
    return {
        "InputTokens": usage["input_tokens"] - cached,
        "CacheReadTokens": cached,
        "OutputTokens": usage["output_tokens"],
        "ReasoningTokens": usage["output_tokens_details"]["reasoning_tokens"],
    }


def _google(usage: Json) -> dict[str, int]:
    cached, thoughts = usage["cachedContentTokenCount"], usage["thoughtsTokenCount"]
    return {
        "InputTokens": usage["promptTokenCount"] - cached,
        "CacheReadTokens": cached,
        "ToolPromptTokens": usage["toolUsePromptTokenCount"],
        "OutputTokens": usage["candidatesTokenCount"] + thoughts,
        "ReasoningTokens": thoughts,
    }


LEDGERS: dict[str, Callable[[Json], dict[str, int]]] = {"claude": _anthropic, "codex": _openai, "gemini": _google}
