"""The scenes: a CLI plays a scenario over a transport; and what the provider's ledger says of it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.e2e.homes import home
from tests.e2e.monitor import Live
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.mock_api import FINAL_STEPS

Json = dict[str, Any]
AGENTS = {"claude": "claude-code", "codex": "codex", "gemini": "gemini-cli"}
WHOLE_INPUT = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "ToolPromptTokens")


@dataclass(frozen=True)
class Scene:
    """One run of a CLI. ``transport`` is ``http`` (protobuf from claude and codex, JSON from gemini) or ``grpc``.

    With ``hooks`` it is `aimond setup` that configures the CLI. They are ``trusted``; or ``new`` where its user was not
    asked yet, and of Codex CLI only notify works; or ``bypassed``, which keeps its sessions out of its daemon.
    ``wait``: the scenario's waiting time, in seconds."""

    cli: str
    scenario: str
    transport: str = "http"
    hooks: str = ""
    wait: float | None = None

    def __str__(self) -> str:
        how = f"{self.hooks}-hooks" if self.hooks else self.transport
        return f"{self.cli}-{self.scenario}-{how}" + (f"-{self.wait:g}s" if self.wait else "")

    async def play(self, live: Live, out: Path) -> Played:
        """Play it to its end, with the telemetry going to aimond."""
        if not self.hooks:
            to = ["--grpc", live.grpc] if self.transport == "grpc" else ["--otlp", live.http]
            return Played(self, await self._run(out, *to))
        async with home(self.cli, live) as path:
            if self.hooks == "trusted" and not self.scenario.startswith("tui-"):  # full screen, it asks
                CLIS[self.cli].trust_hooks(path)
            runtime = f"XDG_RUNTIME_DIR={live.places['XDG_RUNTIME_DIR']}"  # where hooks look for it
            bypass = ["--cli-arg=--dangerously-bypass-hook-trust"] if self.hooks == "bypassed" else []
            truth = await self._run(out, "--existing-home", str(path), "--env", runtime, *bypass)
            return Played(self, truth, CLIS[self.cli].trusts_hooks(path))

    async def _run(self, out: Path, *options: str) -> Json:
        """The truth.json of a run."""
        if self.wait:
            options = (*options, f"--wait={self.wait}")
        command = [sys.executable, "-m", "tests.e2e.realcli", "run", self.cli, self.scenario, "--out", str(out)]
        process = await asyncio.create_subprocess_exec(*command, *options, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()  # it ends its CLI itself
                await process.wait()
        assert process.returncode == 0, f"{self}: {said.decode()}"
        truth: Json = json.loads((out / "truth.json").read_text())
        return truth


@dataclass(frozen=True)
class Played:
    """A scene that was played, its truth.json, and whether the CLI in the end trusted the hooks it was given."""

    scene: Scene
    truth: Json
    trusted: bool = True

    @property
    def session(self) -> str:
        """The id of the one session the user had."""
        (session,) = {row["session_id"] for row in self.truth["sessions"] if row["kind"] == "main"}
        return str(session)

    @property
    def family(self) -> set[str]:
        """Its id, and those of its sub-agents that are sessions too."""
        return {str(row["session_id"]) for row in self.truth["sessions"]}

    def marks(self, *names: str) -> list[int]:
        """When the driver did or saw that, ns since the epoch."""
        return [int(mark["time_ns"]) for mark in self.truth["marks"] if mark["mark"] in names]

    @property
    def answers(self) -> list[Json]:
        """The calls that the provider answered in full, helpers' too, in the order of their ends."""
        rows = [row for row in self.truth["requests"] if row["outcome"] == "completed"]
        return sorted(rows, key=lambda row: row["end_ns"])

    @property
    def turns(self) -> list[list[Json]]:
        """The answers of each completed turn, the one that ended it last; hidden threads' are in none."""
        own = [row for row in self.answers if row.get("thread_source", "user") == "user"]
        turns: list[list[Json]] = []
        for first, last in pairwise([*self.marks("prompt"), 2**63]):
            turn = [row for row in own if first < row["end_ns"] < last]
            while turn and turn[-1]["kind"] != "main":
                turn.pop()
            if turn and step(turn[-1]) in FINAL_STEPS:
                turns.append(turn)
        return turns

    @property
    def ends(self) -> list[int]:
        """When the last answer of each completed turn had ended, ns since the epoch."""
        return [int(turn[-1]["end_ns"]) for turn in self.turns]

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
