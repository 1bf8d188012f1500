"""Receivers on real sockets, an inbox behind them, and a log that has to stay empty."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from inbox import NOON, Inbox

from aimond.otlp import grpc, http, ports
from aimond.otlp.guard import Guard

GUARD = Guard(hosts=frozenset({"desk.lan"}))


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No tracebacks, whatever was sent (asyncio's exception handler logs too)."""
    caplog.set_level(logging.WARNING)
    yield
    noise = [record for phase in ("setup", "call", "teardown") for record in caplog.get_records(phase)]
    assert [record.getMessage() for record in noise if record.name.startswith(("aimond", "asyncio", "aiohttp"))] == []


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def http_port(inbox: Inbox) -> AsyncIterator[int]:
    listeners = ports.listen(["127.0.0.1", "::1"], 0)
    async with http.receiving(
        inbox.consume,
        listeners,
        guard=GUARD,
        metrics=lambda accept: (b"aimond_up 1\n", "text/plain; version=0.0.4"),
        health=lambda: {"sessions": 3},
        clock=lambda: NOON * 1000,
    ):
        yield listeners[0].getsockname()[1]


@pytest.fixture
async def grpc_port(inbox: Inbox) -> AsyncIterator[int]:
    listeners = ports.listen(["127.0.0.1", "::1"], 0)
    async with grpc.receiving(inbox.consume, listeners, guard=GUARD, clock=lambda: NOON * 1000):
        yield listeners[0].getsockname()[1]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*make, "-keyout", f"{file}.key", "-out", f"{file}.crt", *subject], check=True, capture_output=True)
    file.write_bytes(Path(f"{file}.key").read_bytes() + Path(f"{file}.crt").read_bytes())
    return file
