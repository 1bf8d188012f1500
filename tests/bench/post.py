"""An exporter of a few lines: what it costs itself must not hide what it measures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import groupby

from tests.bench.bodies import Post


def wire(post: Post) -> bytes:
    """The bytes of the whole HTTP request."""
    head = (
        f"POST {post.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {post.content_type}\r\n"
        f"Content-Length: {len(post.body)}\r\n\r\n"
    )
    return head.encode() + post.body


class Exporter:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, request: bytes) -> None:
        """Hand the request to the kernel, all of it but what does not fit at once."""
        self._writer.write(request)

    async def answered(self) -> None:
        """Wait for the answer, which has to be a 200."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(length)
        assert head.startswith(b"http/1.1 200"), (head, body)

    async def post(self, request: bytes) -> None:
        """Send, and wait for the answer."""
        self.send(request)
        await self.answered()


@asynccontextmanager
async def exporter(port: int) -> AsyncIterator[Exporter]:
    """Connected to that port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Exporter(reader, writer)
    finally:
        writer.close()


async def deliver(posts: Iterable[Post], port: int) -> None:
    """Send one post after the other, each on a connection of those that came with it: CLIs keep theirs."""
    for _, together in groupby(posts, key=lambda post: post.connection):
        async with exporter(port) as to:
            for post in together:
                await to.post(wire(post))
