"""Whatever is in a file for `aimond replay`: it is refused as no tape, or played to its end."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aimond.commands.replay import replay
from aimond.tape import read
from tests.recorded import PATHS

anything = settings(
    max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
SMALL = sorted(PATHS, key=lambda path: path.stat().st_size)[:12]
HEAD = {"kind": "tape", "format": 1, "tool": "claude", "epoch_ns": 1_800_000_000_000_000_000}

NUMBERS = st.sampled_from([0, 1, -1, 7, 2**31, 2**63, -(2**70), 10**400, 1e300, -1e300, float("nan"), float("inf")])
WORDS = st.sampled_from(["", "7", "x", "claude", "codex", "http", "logs", "\ud83d", "\x00", "nan", "x" * 5000])
BODIES = st.binary(max_size=40).map(lambda raw: b64encode(raw).decode()) | st.just("no base64") | WORDS
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
HOOKS = st.sampled_from(["hook_event_name", "session_id", "prompt", "tool_name", "cwd", "type", "thread-id"])
PAYLOADS = st.dictionaries(HOOKS, SCALARS | st.sampled_from(["UserPromptSubmit", "Stop", "PermissionRequest"]))
JUNK = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2))
LINES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["otlp", "hook", "process", "tape", "other"]) | JUNK},
    optional={
        "t": st.floats(0, 10) | NUMBERS | JUNK,
        "epoch_ns": NUMBERS | JUNK,
        "tool": WORDS | JUNK,
        "signal": st.sampled_from(["logs", "traces", "metrics"]) | JUNK,
        "content_type": st.sampled_from(["application/json", "application/x-protobuf"]) | JUNK,
        "transport": WORDS | JUNK,
        "peer": st.dictionaries(st.just("pid"), SCALARS) | JUNK,
        "body": BODIES | JUNK,
        "event": st.sampled_from(["start", "exit", "Stop"]) | JUNK,
        "via": WORDS | JUNK,
        "payload": PAYLOADS | JUNK,
        "pid": NUMBERS | JUNK,
        "comm": WORDS | JUNK,
        "cwd": WORDS | JUNK,
    },
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tape"


def played(file: Path, content: bytes) -> int:
    """How many rows it came to; 0 for no tape."""
    file.write_bytes(content)
    try:
        tape = read(file)
    except ValueError as error:
        assert "not a tape" in str(error)
        return 0
    rows = [json.dumps(row) for row in replay(tape)]
    assert json.loads(rows[-1])["change"] == "end"
    return len(rows)


def lines(rows: list[Any]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


@anything
@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_any_bytes(file: Path, said: bytes, after_a_head: bool, packed: bool) -> None:
    content = lines([HEAD]) + said if after_a_head else said
    played(file, gzip.compress(content) if packed else content)


@anything
@example([{"kind": "otlp", "body": [None]}])
@example([{"kind": "otlp", "signal": []}])
@example([{"kind": "process", "pid": 10**400, "event": "exit"}])
@example([{"kind": "hook", "t": 1e300, "payload": "no object"}])
@given(st.lists(LINES | JUNK, max_size=6))
def test_any_lines(file: Path, rows: list[Any]) -> None:
    played(file, lines([HEAD, *rows]))


@anything
@given(st.sampled_from(SMALL), st.data())
def test_a_recording_with_a_part_of_it_spoilt(file: Path, path: Path, data: st.DataObject) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    played(file, bytes(content[: data.draw(st.integers(0, len(content)))]))
    assert played(file, path.read_bytes()) > 0, "the next is played as ever"
