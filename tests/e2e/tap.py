"""A wire that is listened to: what goes through to a receiver is written down, unpacked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web


class Tap:
    """``heard``: the bodies of all requests, one after the other."""

    def __init__(self, session: ClientSession, behind: str) -> None:
        self.heard = bytearray()
        self._session, self._behind = session, behind

    async def through(self, request: web.Request) -> web.Response:
        """Hand a request on, and its answer back."""
        body = await request.read()
        self.heard += body
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        async with self._session.post(f"{self._behind}{request.path}", data=body, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


@asynccontextmanager
async def tapped(behind: str) -> AsyncIterator[tuple[Tap, int]]:
    """The tap, and the port in front of it; ``behind``: a URL."""
    async with ClientSession() as session:
        tap = Tap(session, behind)
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("POST", "/{path:.*}", tap.through)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield tap, runner.addresses[0][1]
        finally:
            await runner.cleanup()
