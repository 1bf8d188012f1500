"""Tapes sent to a receiver: over one connection, again when that was closed, and an error that says where."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from inbox import Inbox

from aimond import tape
from aimond.sender import send

TAPE = min((Path(__file__).parents[1] / "tapes" / "claude").rglob("*.tape.jsonl.gz"))
FAST = 1e9


@pytest.mark.parametrize("path", ["", "/", "/behind/a/proxy"])
async def test_a_tape_arrives_whole_and_over_one_connection(http_port: int, inbox: Inbox, path: str) -> None:
    recording = tape.read(TAPE)
    assert await send(recording, f"http://127.0.0.1:{http_port}{path}", FAST) == 0
    sent = [recording.batch(line) for line in recording.lines if line.kind == "otlp"]
    assert [batch.parsed for batch in inbox.batches] == [batch and batch.parsed for batch in sent]
    assert len({batch.peer.remote for batch in inbox.batches}) == 1 < len(sent)


async def test_what_is_refused_is_counted(http_port: int, inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    inbox.refusals = 2
    assert await send(tape.read(TAPE), f"http://127.0.0.1:{http_port}", FAST) == 1
    assert "2 requests were refused" in capsys.readouterr().err


async def test_a_receiver_that_hangs_up_between_requests_gets_all_of_them() -> None:
    """As collectors do with connections that idle."""
    answered = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        with closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            answered += 1

    recording = tape.read(TAPE)
    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await send(recording, f"http://127.0.0.1:{port}", FAST) == 0
    assert answered == sum(line.kind == "otlp" for line in recording.lines) > 1


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4318", "http://", "http://localhost:x", "ftp://localhost", "http://127.0.0.1:1"]
)
async def test_where_no_receiver_is_that_is_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await send(tape.read(TAPE), url, FAST) == 1
    assert f"aimond: {url}: " in capsys.readouterr().err
