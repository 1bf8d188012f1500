"""Tapes: what is read from a file, and the requests that are made of it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from aimond.otlp.record import Peer
from aimond.tape import Line, Tape, read

HEAD = {"kind": "tape", "t": 0, "tool": "claude", "epoch_ns": 1_790_000_000_000_000_000}
BODY = {"resourceLogs": [{"scopeLogs": []}]}


def otlp(t: float, body: bytes | None = None, **more: Any) -> dict[str, Any]:
    told = base64.b64encode(json.dumps(BODY).encode() if body is None else body).decode()
    request = {"kind": "otlp", "t": t, "signal": "logs", "content_type": "application/json", "body": told}
    return {**request, "transport": "http", "peer": {"pid": 101}, **more}


def written(path: Path, *lines: Any, packed: bool = False) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    file = path / "x.tape.jsonl"
    file.write_bytes(gzip.compress(text) if packed else text)
    return file


@pytest.mark.parametrize("packed", [True, False])
def test_a_tape_is_read_packed_or_not(tmp_path: Path, packed: bool) -> None:
    tape = read(written(tmp_path, HEAD, otlp(1.5), packed=packed))
    assert (tape.tool, tape.epoch, len(tape.lines)) == ("claude", 1_790_000_000_000_000, 1)
    assert tape.at(1.5) == 1_790_000_001_500_000


def test_lines_are_put_in_the_order_of_their_times(tmp_path: Path) -> None:
    tape = read(written(tmp_path, otlp(3), {"kind": "hook", "t": 2}, "", HEAD, otlp(1)))
    assert [line.t for line in tape.lines] == [1, 2, 3]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([], id="nothing"),
        pytest.param([otlp(1)], id="no head"),
        pytest.param([HEAD, "{"], id="no JSON"),
        pytest.param([HEAD, "[]"], id="no object"),
        pytest.param([HEAD, '{"t": "soon"}'], id="no time"),
        pytest.param([HEAD, "[" * 100_000], id="an abyss"),
        pytest.param([{**HEAD, "epoch_ns": "x"}], id="no clock"),
        pytest.param([HEAD, '{"t": NaN, "kind": "hook"}'], id="a time that is none"),
        pytest.param([HEAD, '{"t": 1e999, "kind": "hook"}'], id="a time without end"),
    ],
)
def test_what_is_no_tape_says_so(tmp_path: Path, lines: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"x\.tape\.jsonl"):
        read(written(tmp_path, *lines))


def test_a_torn_packed_tape_says_so(tmp_path: Path) -> None:
    file = written(tmp_path, HEAD, otlp(1), packed=True)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match="not a tape"):
        read(file)


def one(**more: Any) -> tuple[Tape, Line]:
    line = Line("otlp", 2.0, otlp(2.0, **more))
    return Tape("claude", 1_000_000, [line]), line


def test_a_request_is_what_a_receiver_would_hand_on() -> None:
    tape, line = one()
    tape.meet(Line("process", 0, {"pid": 101, "comm": "claude"}))
    batch = tape.batch(line)
    assert batch is not None
    assert (batch.signal, batch.encoding, batch.parsed, batch.seen) == ("logs", "json", BODY, 3_000_000)
    assert batch.peer == Peer("http", pid=101, comm="claude")


def test_over_the_network_nobody_knows_the_peer() -> None:
    tape, line = one(transport="grpc")
    batch = tape.batch(line, with_peer=False)
    assert batch is not None
    assert batch.peer == Peer("grpc")


def test_a_packed_body_is_unpacked() -> None:
    tape, line = one(body=gzip.compress(json.dumps(BODY).encode()))
    batch = tape.batch(line)
    assert batch is not None
    assert batch.parsed == BODY


@pytest.mark.parametrize(
    "more",
    [
        {"body": b"{"},
        {"body": b"[]"},
        {"body": b"\x1f\x8b spoilt"},
        {"body": b"\xff" * 9, "content_type": "application/x-protobuf"},
        {"signal": "profiles"},
        {"signal": None},
    ],
)
def test_what_a_receiver_would_refuse_is_no_request(more: dict[str, Any]) -> None:
    tape, line = one(**more)
    assert tape.batch(line) is None
