"""A tape sent to a live daemon gives what its replay gives, over HTTP and over gRPC."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aimond.commands.replay import replay
from aimond.tape import read
from tests.busdaemon import PrivateBus
from tests.daemon.live import Live, live

TAPES = sorted((Path(__file__).parents[1] / "tapes").rglob("*.tape.jsonl.gz"))

# What does not depend on when a request arrived.
SAME = (
    "agent", "title", "agent_version", "model", "host", "turns", "model_calls", "tool_calls", "errors",
    "last_error", "last_error_class", "input_tokens", "cache_read_tokens", "cache_write_tokens", "tool_prompt_tokens",
    "output_tokens", "reasoning_tokens", "cost_basis", "started_at",
)  # fmt: skip


def is_json(path: Path) -> bool:
    return any("json" in (line.fields.get("content_type") or "") for line in read(path).lines if line.kind == "otlp")


@pytest.fixture(scope="module")
def bus():
    with PrivateBus() as bus:
        yield bus


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.name.partition(".")[0])
async def test_over_http(path: Path, bus: PrivateBus) -> None:
    tape = read(path)
    async with live(bus) as running:
        await running.until_understood(await running.post(tape))
        await running.until_told()
    compare(path, running)


@pytest.mark.parametrize("path", [p for p in TAPES if not is_json(p)][::3], ids=lambda path: path.name[:20])
async def test_over_grpc(path: Path, bus: PrivateBus) -> None:
    tape = read(path)
    async with live(bus) as running:
        await running.until_understood(await running.call(tape))
        await running.until_told()
    compare(path, running)


def compare(path: Path, running: Live) -> None:
    rows = list(replay(read(path), only_otlp=True))
    expected = {session["id"]: session for session in rows[-1]["sessions"]}
    on_the_bus = {properties["Id"]: properties for properties in running.seen.values()}
    assert sorted(on_the_bus) == sorted(expected)
    for session_id, session in expected.items():
        properties = on_the_bus[session_id]
        assert {name: properties[pascal(name)] for name in SAME} == {name: session[name] for name in SAME}
        assert running.seen.get(properties["Parent"], {}).get("Id", "") == session["parent"]
        assert properties["Cost"] == pytest.approx(session["cost"] or 0.0, abs=1e-12)
        if not took_time(rows, session_id):
            assert properties["State"] == session["state"]
            # Whether a turn was cut is only said when no record of its answer has come for a while.
            assert properties["Reason"] == session["reason"] or (properties["Reason"], session["state"]) == ("", "idle")


def took_time(rows: list[dict[str, Any]], session_id: str) -> bool:
    """Silence had a say in the replay, or proof came after the session was gone from the bus."""
    its = [row for row in rows if row.get("session_id") == session_id]
    gone = next((index for index, row in enumerate(its) if row["change"] == "session-removed"), len(its))
    return any(row.get("evidence") == "timer" for row in its) or any(row["change"] == "completed" for row in its[gone:])


def pascal(name: str) -> str:
    return re.sub(r"(^|_)([a-z])", lambda match: match[2].upper(), name)
