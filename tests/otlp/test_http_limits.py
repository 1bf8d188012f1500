"""What strangers can make grow has an end, and who is refused can read why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest
from inbox import Inbox

from aimond.otlp import http, ports
from aimond.otlp.exchange import Server

HEAD = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
METRICS = b"x" * 2000
MIB = 2**20


@asynccontextmanager
async def serving(inbox: Inbox, **bounds: Any) -> AsyncIterator[tuple[int, Server]]:
    listeners = ports.listen(["127.0.0.1"], 0)
    metrics = lambda accept: (METRICS, "text/plain")  # noqa: E731
    async with http.receiving(inbox.consume, listeners, metrics=metrics, **bounds) as server:
        yield listeners[0].getsockname()[1], server


class Client:
    """One connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, sent: bytes) -> None:
        self.writer.write(sent)

    async def status(self) -> bytes:
        """Of the next answer, which is read to its end."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        await self.reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
        self.head = head
        return head.split()[1]

    async def is_over(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 10) == b""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        yield Client(reader, writer)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_a_head_without_end_is_a_431(inbox: Inbox, end: bytes) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(HEAD + b"X: " + b"x" * MIB + end)
        assert await client.status() == b"431"
        assert await client.is_over()


async def test_trailers_without_end_are_a_431(inbox: Inbox) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"x" * MIB)
        assert await client.status() == b"431"
    assert inbox.batches == []


async def test_large_heads_and_bodies_in_one_go_are_counted_apart(inbox: Inbox) -> None:
    """What counts as head is what brings neither a body nor the end of a request."""
    body = b"{%s}" % (b" " * 200_000)
    whole = HEAD + b"X: " + b"x" * 20_000 + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(whole * 10)
        assert [await client.status() for _ in range(10)] == [b"200"] * 10


async def test_too_large_a_body_is_refused_before_it_comes(inbox: Inbox) -> None:
    async with serving(inbox, max_body=1000) as (port, _), connected(port) as client:
        client.say(HEAD + b"Content-Length: 1001\r\n\r\n")
        assert await client.status() == b"413"
        assert await client.is_over()


async def test_an_endless_body_is_refused_while_it_comes_and_its_sender_can_read_that(inbox: Inbox) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(CHUNKED)
        while not client.reader._buffer:  # type: ignore[attr-defined]
            client.say(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            await client.writer.drain()
        client.say((b"10000\r\n" + bytes(0x10000) + b"\r\n") * 10)  # a client that looks up late
        await client.writer.drain()
        assert await client.status() == b"413"
        assert await client.is_over()
    assert inbox.batches == []


async def test_a_refused_body_is_passed_over_and_the_connection_stays(inbox: Inbox) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(WHOLE.replace(b"/v1/logs", b"/v1/profiles") + WHOLE)
        assert [await client.status(), await client.status()] == [b"404", b"200"]


async def test_who_asks_before_sending_is_refused_before_sending(inbox: Inbox) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(WHOLE.replace(b"json", b"xml").replace(b"\r\n\r\n{}", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert await client.status() == b"415"
        assert await client.is_over()


async def test_all_unfinished_bodies_together_are_bounded(inbox: Inbox) -> None:
    async with serving(inbox) as (port, server):
        clients = [connected(port) for _ in range(6)]
        first, *others = [await client.__aenter__() for client in clients]
        try:
            for client in (first, *others):
                client.say(HEAD + b"Content-Length: %d\r\n\r\n" % (15 * MIB) + bytes(14 * MIB))
                await client.writer.drain()
            answers = [asyncio.ensure_future(client.status()) for client in (first, *others)]
            done, waiting = await asyncio.wait(answers, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert {answer.result() for answer in done} == {b"429"}
            assert server.buffered <= 64 * MIB
            for answer in waiting:
                answer.cancel()
        finally:
            for connection in clients:
                await connection.__aexit__(None, None, None)
        await until(lambda: not server.buffered and not server.open)


@pytest.mark.parametrize("begun", [b"P", HEAD, HEAD + b"Content-Length: 2\r\n\r\n{", CHUNKED + b"1\r\n{\r\n"])
async def test_a_request_that_stops_halfway_is_a_408(inbox: Inbox, begun: bytes) -> None:
    async with serving(inbox, patience=0.05) as (port, _), connected(port) as client:
        client.say(WHOLE + begun)
        assert await client.status() == b"200"
        assert await client.status() == b"408"
        assert await client.is_over()


async def test_a_connection_may_idle_for_longer_than_a_request_may_take(inbox: Inbox) -> None:
    async with serving(inbox, patience=0.5) as (port, _), connected(port) as client:
        for cut in (len(WHOLE), 50):  # in one piece, in two
            client.say(WHOLE[:cut])
            await asyncio.sleep(0.01)
            client.say(WHOLE[cut:])
            assert await client.status() == b"200"
            await asyncio.sleep(0.7)
        client.say(WHOLE)
        assert await client.status() == b"200"


async def test_one_connection_too_many_is_told_to_come_again(inbox: Inbox) -> None:
    async with serving(inbox, max_connections=1) as (port, server):
        async with connected(port) as client, connected(port) as late:
            client.say(WHOLE)
            late.say(WHOLE)
            assert await client.status() == b"200"
            assert await late.status() == b"503"
            assert b"\r\nRetry-After: 1\r\n" in late.head
            assert await late.is_over()
            assert (len(server.open), server.turned_away, len(inbox.batches)) == (1, 1, 1)
        await until(lambda: not server.open)
        async with connected(port) as client:
            client.say(WHOLE)
            assert await client.status() == b"200"


async def test_who_reads_no_answers_is_not_listened_to(inbox: Inbox) -> None:
    async with serving(inbox) as (port, server), connected(port) as greedy:
        ask = b"GET /metrics HTTP/1.1\r\n\r\n" * 1000
        greedy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    greedy.say(ask)
                    await greedy.writer.drain()
                    await asyncio.sleep(0)
        assert max(transport.get_write_buffer_size() for transport in server.open) < 2 * MIB
        async with connected(port) as client:
            client.say(WHOLE)
            assert await client.status() == b"200"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
async def test_an_offer_to_upgrade_is_passed_over(inbox: Inbox, framing: bytes) -> None:
    """As curl --http2 and Java's HttpClient make one."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say((HEAD + offer + framing) * 2000 + WHOLE)
        assert {await client.status() for _ in range(2001)} == {b"200"}
    assert len(inbox.batches) == 2001


async def test_a_websocket_is_none_and_a_proxy_neither(inbox: Inbox) -> None:
    websocket = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(websocket + b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\nabc")
        assert [await client.status(), await client.status()] == [b"200", b"404"]
        assert await client.is_over()


async def test_head_is_answered_like_get_but_for_the_content(inbox: Inbox) -> None:
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, content = (await asyncio.wait_for(client.reader.read(), 10)).partition(b"\r\n\r\n")
    assert (head.split()[1], content) == (b"200", b"")
    assert b"Content-Length: %d\r\n" % len(METRICS) in head


async def test_http_1_0_ends_after_one_answer_unless_asked_to_stay(inbox: Inbox) -> None:
    old = WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with serving(inbox) as (port, _), connected(port) as client:
        client.say(old.replace(b"Host:", b"Connection: keep-alive\r\nHost:"))
        assert await client.status() == b"200"
        assert b"\r\nConnection: keep-alive\r\n" in client.head
        client.say(old)
        assert await client.status() == b"200"
        assert await client.is_over()


async def test_a_request_that_is_half_here_does_not_hold_up_the_end(inbox: Inbox) -> None:
    loop = asyncio.get_running_loop()
    async with serving(inbox) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await until(lambda: bool(server.open))
        began = loop.time()
    with suppress(ConnectionResetError):  # if not even the half of it was read
        assert await asyncio.wait_for(reader.read(), 10) == b""
    assert loop.time() - began < 1
    writer.close()
