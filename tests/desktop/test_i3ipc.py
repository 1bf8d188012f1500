"""The IPC of Sway and i3, against servers that cut, stall and lie."""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aimond.desktop import i3ipc
from aimond.desktop.i3ipc import Connection, Event, Kind
from aimond.desktop.sway import Sway
from aimond.desktop.windows import News, Window

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(kind: int, body: Any, magic: bytes = b"i3-ipc") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return magic + struct.pack("=II", len(text), kind) + text


async def question(reader: asyncio.StreamReader) -> tuple[int, str]:
    magic, length, kind = struct.unpack("=6sII", await reader.readexactly(14))
    assert magic == b"i3-ipc"
    return kind, (await reader.readexactly(length)).decode()


@asynccontextmanager
async def connected(serve: Serve, heard: list[tuple[int, bytes]] | None = None) -> AsyncIterator[Connection]:
    with tempfile.TemporaryDirectory(prefix="i3-") as directory:
        path = str(Path(directory) / "socket")
        server = await asyncio.start_unix_server(serve, path)
        events = heard if heard is not None else []
        connection = await Connection.open(path, lambda kind, body: events.append((kind, body)))
        try:
            yield connection
        finally:
            await connection.close()
            server.close()


async def test_events_come_between_question_and_answer_and_frames_in_pieces() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await question(reader) == (Kind.RUN_COMMAND, "[con_id=5] focus")
        said = frame(Event.WINDOW, {"change": "focus"}) + frame(Kind.RUN_COMMAND, [{"success": True}])
        for index in range(len(said)):
            writer.write(said[index : index + 1])
            await writer.drain()
            await asyncio.sleep(0)

    heard: list[tuple[int, bytes]] = []
    async with connected(serve, heard) as connection:
        assert await connection.ask(Kind.RUN_COMMAND, "[con_id=5] focus") == [{"success": True}]
        assert heard == [(Event.WINDOW, b'{"change": "focus"}')]


async def test_answers_come_in_the_order_of_the_questions() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = [await question(reader) for _ in range(3)]
        for kind, text in asked:
            writer.write(frame(kind, text))

    async with connected(serve) as connection:
        texts = [f"é{index}" for index in range(3)]
        assert await asyncio.gather(*(connection.ask(Kind.RUN_COMMAND, text) for text in texts)) == texts


LIES = {
    "another protocol": frame(Kind.GET_TREE, {}, magic=b"HTTP/1"),
    "a length of 100 MB": b"i3-ipc" + struct.pack("=II", 100_000_000, Kind.GET_TREE) + b"{" * 1000,
    "no JSON": frame(Kind.GET_TREE, b"\xff{"),
    "JSON too deep": frame(Kind.GET_TREE, b"[" * 200_000),
    "nothing": b"",
    "half a header": b"i3-i",
    "half a body": frame(Kind.GET_TREE, {"id": 1})[:-3],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_is_no_answer_is_an_error_and_the_end(lie: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await question(reader)
        writer.write(lie)
        writer.close()

    async with connected(serve) as connection:
        with pytest.raises(ConnectionError):
            await connection.ask(Kind.GET_TREE)
        async with asyncio.timeout(10):
            await connection.gone()
        with pytest.raises(ConnectionError):
            await connection.ask(Kind.GET_TREE)


async def test_no_answer_is_waited_for_a_second_and_then_the_connection_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(i3ipc, "PATIENCE", 0.05)

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(serve) as connection:
        with pytest.raises(ConnectionError):
            await connection.ask(Kind.GET_TREE)
        async with asyncio.timeout(10):
            await connection.gone()


# -- the windows that Sway makes of it --------------------------------------------------------------

TREE = {
    "id": 1,
    "type": "root",
    "nodes": [
        {"id": 3, "type": "workspace", "nodes": [{"id": 9, "pid": 40, "name": "b", "focused": True, "window": None}]},
        {"id": 4, "type": "workspace", "floating_nodes": [{"id": 8, "pid": 40, "name": None}]},
        {"id": 5, "type": "workspace", "nodes": [{"id": 6, "window": 0x700, "name": "x"}, "no node", {"id": "no id"}]},
    ],
}


class Desk:
    """A server that answers like Sway, and says what the test wants said."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.commands: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        answers = {Kind.SUBSCRIBE: {"success": True}, Kind.GET_TREE: self.tree, Kind.RUN_COMMAND: [{"success": True}]}
        while not reader.at_eof():
            try:
                kind, text = await question(reader)
            except asyncio.IncompleteReadError:
                return
            self.commands += [text] if kind == Kind.RUN_COMMAND else []
            writer.write(frame(kind, answers[Kind(kind)]))

    def says(self, kind: int, body: Any) -> None:
        self.writers[-1].write(frame(kind, body))


@asynccontextmanager
async def following(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, directory: Path
) -> AsyncIterator[tuple[Sway, asyncio.Queue[News]]]:
    """Sway's windows, as ``desk`` has them, and the news; the socket comes only when somebody waits for it."""
    for name in ("SWAYSOCK", "I3SOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    news: asyncio.Queue[News] = asyncio.Queue()
    sway = Sway()
    running = asyncio.ensure_future(sway.run(news.put_nowait))
    await asyncio.sleep(0)
    server = await asyncio.start_unix_server(desk.serve, str(directory / "sway-ipc.0.1.sock"))
    async with asyncio.timeout(20):
        assert [await news.get(), await news.get()] == [News.WINDOWS, News.FOCUS]
        yield sway, news
    running.cancel()
    server.close()


@pytest.fixture
def short() -> Any:
    with tempfile.TemporaryDirectory(prefix="i3-") as directory:
        yield Path(directory)


async def test_windows_are_those_nodes_that_have_a_process_or_an_x11_window(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    async with following(Desk(TREE), monkeypatch, short) as (sway, _):
        expected = [Window(id=6, x11=0x700, title="x"), Window(id=8, pid=40), Window(id=9, pid=40, title="b")]
        assert list(sway.known.values()) == expected
        assert sway.focused == 9


async def test_events_change_them_and_odd_ones_do_not(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    desk = Desk(TREE)
    async with following(desk, monkeypatch, short) as (sway, news):
        for odd in ([], {"change": "new"}, {"change": "new", "container": 5}, b"\xff", {"change": None}):
            desk.says(Event.WINDOW, odd)
            desk.says(Event.WORKSPACE, odd)
        desk.says(Event.WINDOW, {"change": "new", "container": {"id": 12, "pid": 50, "name": None}})
        assert await news.get() == News.WINDOWS
        assert sway.known[12] == Window(id=12, pid=50)
        desk.says(Event.WINDOW, {"change": "focus", "container": {"id": 12, "pid": 50}})
        assert await news.get() == News.FOCUS
        assert sway.focused == 12
        desk.says(Event.WORKSPACE, {"change": "focus", "current": {"id": 3, "focus": [9]}})
        desk.says(Event.WORKSPACE, {"change": "focus", "current": {"id": 99, "focus": []}})
        assert await news.get() == News.FOCUS
        assert sway.focused == 0
        desk.says(Event.WINDOW, {"change": "close", "container": {"id": 12, "pid": 50}})
        assert await news.get() == News.WINDOWS
        assert 12 not in sway.known
        assert await sway.focus(8)
        assert desk.commands == ["[con_id=8] focus"]


async def test_a_title_is_told_to_who_waits_for_it(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    desk = Desk(TREE)
    async with following(desk, monkeypatch, short) as (sway, _):
        waiting = asyncio.ensure_future(sway.titled("marker", 10))
        await asyncio.sleep(0)
        for number, title in ((9, "other"), (8, "a marker - Terminal")):
            desk.says(Event.WINDOW, {"change": "title", "container": {"id": number, "pid": 40, "name": title}})
        assert await waiting == 8
        assert await sway.titled("marker", 0.01) == 0


async def test_without_sway_there_is_nothing_and_when_it_is_back_everything(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    desk = Desk(TREE)
    async with following(desk, monkeypatch, short) as (sway, news):
        desk.writers[-1].close()
        assert await news.get() == News.WINDOWS
        assert (sway.known, sway.focused, await sway.focus(8)) == ({}, 0, False)
        assert [await news.get(), await news.get()] == [News.WINDOWS, News.FOCUS]
        assert sway.focused == 9
