"""Who may send: who knows the token, this user's programs, no web page; and only with TLS from elsewhere."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc as grpcio
import pytest
from bodies import METHODS, body
from inbox import Inbox

from aimond.otlp import grpc, http, ports, tls
from aimond.otlp.guard import Guard

TOKEN = "a-token.of_this~test"
JSON = {"Content-Type": "application/json"}
OWN = Guard(token=TOKEN.encode())
GOOD: list[dict[str, str]] = [
    {"x-aimond-token": TOKEN},
    {"authorization": f"Bearer {TOKEN}"},
    {"authorization": f"bearer {TOKEN}"},
]
BAD: list[dict[str, str]] = [
    {},
    {"x-aimond-token": ""},
    {"x-aimond-token": TOKEN[:-1]},
    {"x-aimond-token": f"{TOKEN}x"},
    {"authorization": TOKEN},
    {"authorization": f"Basic {TOKEN}"},
    {"x-aimond-token": "wrong", "authorization": f"Bearer {TOKEN}"},
]


@asynccontextmanager
async def both(inbox: Inbox, guard: Guard, *hosts: str, cert: Path | None = None) -> AsyncIterator[tuple[int, int]]:
    """The ports of an HTTP and a gRPC receiver."""
    async with AsyncExitStack() as running:
        found = []
        for receiver, speaks in ((http, tls.HTTP), (grpc, tls.GRPC)):
            listeners = ports.listen(hosts or ["127.0.0.1"], 0)
            secure = tls.context(str(cert), str(cert), speaks) if cert else None
            receiving: Any = receiver.receiving(inbox.consume, listeners, guard=guard, secure=secure)
            await running.enter_async_context(receiving)
            found.append(listeners[0].getsockname()[1])
        yield found[0], found[1]


async def posted(port: int, headers: dict[str, str], **how: Any) -> tuple[int, str]:
    url = f"http{'s' if how else ''}://127.0.0.1:{port}/v1/logs"
    async with aiohttp.ClientSession() as session:  # noqa: SIM117
        async with session.post(url, data=body("logs", "json"), headers={**JSON, **headers}, **how) as answer:
            return answer.status, await answer.text()


async def called(port: int, headers: dict[str, str], secure: Any = None) -> tuple[grpcio.StatusCode, str]:
    where, options = f"127.0.0.1:{port}", [("grpc.ssl_target_name_override", "localhost")]
    channel = grpcio.aio.secure_channel(where, secure, options) if secure else grpcio.aio.insecure_channel(where)
    async with channel:
        try:
            export = channel.unary_unary(METHODS["logs"])
            await export(body("logs", "protobuf"), metadata=tuple(headers.items()), timeout=10)
        except grpcio.aio.AioRpcError as error:
            return error.code(), error.details() or ""
    return grpcio.StatusCode.OK, ""


async def test_who_knows_the_token_is_served(inbox: Inbox) -> None:
    async with both(inbox, OWN) as (by_http, by_grpc):
        for headers in GOOD:
            assert (await posted(by_http, headers))[0] == 200
            assert (await called(by_grpc, headers))[0] is grpcio.StatusCode.OK
    assert len(inbox.batches) == 2 * len(GOOD)


async def test_who_does_not_know_the_token_is_told_what_to_set(inbox: Inbox) -> None:
    async with both(inbox, OWN) as (by_http, by_grpc):
        for headers in BAD:
            status, text = await posted(by_http, headers)
            code, details = await called(by_grpc, headers)
            assert (status, code) == (401, grpcio.StatusCode.UNAUTHENTICATED)
            for told in (text, details):
                assert "x-aimond-token" in told and "OTEL_EXPORTER_OTLP_HEADERS" in told and TOKEN not in told
        async with aiohttp.ClientSession() as session:
            for path in ("/metrics", "/healthz"):
                async with session.get(f"http://127.0.0.1:{by_http}{path}") as answer:
                    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert not inbox.batches


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda told, token: compared.append((told, token)) or True)
    OWN.check(b"localhost", {b"x-aimond-token": b"x"})
    assert compared == [(b"x", TOKEN.encode())]


async def test_another_users_connection_is_refused_once_for_all_it_asks(inbox: Inbox) -> None:
    asked = []

    def is_foreign(peer: Any) -> bool:
        asked.append(peer.remote)
        return True

    async with both(inbox, Guard(is_foreign=is_foreign)) as (by_http, by_grpc):
        status, text = await posted(by_http, {})
        assert status == 403 and "allow_other_users" in text
        code, details = await called(by_grpc, {})
        assert code is grpcio.StatusCode.PERMISSION_DENIED and "allow_other_users" in details
    assert not inbox.batches
    assert len(asked) == 2


async def test_a_user_is_asked_for_once_per_connection(inbox: Inbox) -> None:
    asked = []
    async with both(inbox, Guard(is_foreign=lambda peer: bool(asked.append(peer)))) as (by_http, _):  # noqa: SIM117
        async with aiohttp.ClientSession() as session:
            for _ in range(5):
                url = f"http://127.0.0.1:{by_http}/v1/logs"
                async with session.post(url, data=body("logs", "json"), headers=JSON) as answer:
                    assert answer.status == 200
    assert len(asked) == 1


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", ""])
async def test_what_a_web_page_fetches_is_refused_by_sec_fetch_site(inbox: Inbox, site: str) -> None:
    async with both(inbox, Guard()) as (by_http, by_grpc):
        assert (await posted(by_http, {"Sec-Fetch-Site": site}))[0] == 403
        assert (await called(by_grpc, {"sec-fetch-site": site}))[0] is grpcio.StatusCode.PERMISSION_DENIED
        assert not inbox.batches
        assert (await posted(by_http, {"Sec-Fetch-Site": "none"}))[0] == 200


async def test_what_is_not_loopback_speaks_tls_only(inbox: Inbox, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with both(inbox, OWN, "0.0.0.0", cert=certificate) as (by_http, by_grpc):
        assert (await posted(by_http, GOOD[0], ssl=trusted))[0] == 200
        assert (await posted(by_http, {}, ssl=trusted))[0] == 401
        credentials = grpcio.ssl_channel_credentials(Path(f"{certificate}.crt").read_bytes())  # noqa: ASYNC240
        assert (await called(by_grpc, GOOD[0], credentials))[0] is grpcio.StatusCode.OK
        with pytest.raises(aiohttp.ClientError):
            await posted(by_http, GOOD[0])
    assert len(inbox.batches) == 2


async def test_without_tls_nothing_but_loopback_is_served(inbox: Inbox) -> None:
    for receiver in (http, grpc):
        listeners = ports.listen(["0.0.0.0"], 0)
        with pytest.raises(ValueError, match="not loopback"):
            receiving: Any = receiver.receiving(inbox.consume, listeners)
            async with receiving:
                pass
        listeners[0].close()
