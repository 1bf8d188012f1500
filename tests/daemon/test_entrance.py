"""Who is let in by a whole daemon: by its settings, and by what the kernel says of who connects."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aimond.config import ConfigError, load, secret
from aimond.otlp.guard import Guard
from aimond.otlp.status import Refused
from aimond.process import peer
from aimond.sections import Otlp
from tests.busdaemon import PrivateBus
from tests.daemon.live import live
from tests.process.living import NOBODY, python, running

# All that it needs is loaded before it is somebody else, who may not be able to.
SENDS = """
import os, socket, sys
port, user = map(int, sys.argv[1:])
if user: os.setresgid(user, user, user); os.setresuid(user, user, user)
connection = socket.socket()
connection.connect(("127.0.0.1", port))
head = b"POST /v1/logs HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
connection.sendall(head + b"Content-Length: 2\\r\\n\\r\\n{}")
print(connection.recv(4096).split()[1].decode())
"""


def send_as(user: int, port: int) -> int:
    told = subprocess.run([sys.executable, "-ISc", SENDS, str(port), str(user)], capture_output=True, check=True)
    return int(told.stdout)


async def answered(bus: PrivateBus, user: int, **otlp: object) -> int:
    async with live(bus, **otlp) as daemon:
        return await asyncio.to_thread(send_as, user, daemon.http)


async def test_another_users_program_is_refused_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can be somebody else; anybody else is told to be one, and meets its own programs as another's."""
    user = NOBODY if os.geteuid() == 0 else 0
    with PrivateBus() as bus:
        assert await answered(bus, 0) == 200
        if not user:
            monkeypatch.setattr(peer.os, "geteuid", lambda: NOBODY)
        assert await answered(bus, user) == 403
        assert await answered(bus, user, allow_other_users=True) == 200


def test_a_sender_that_left_at_once_counts_as_another_user() -> None:
    """Its socket is nobody's any more, and nothing tells whose it was."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"s = socket.create_connection({server.getsockname()!r})\ns.sendall(b'x')"
        with running(python(code)) as process:
            ours, _ = server.accept()
            with ours:
                ends = ours.getsockname(), ours.getpeername()
                assert peer.owned(*ends) is not None
                process.kill()
                process.wait()
                assert peer.owned(*ends) is None


def test_who_is_not_of_this_machine_is_no_other_user_of_it() -> None:
    assert peer.owned(("192.0.2.1", 4318), ("192.0.2.7", 50_000)) == 0


def test_requests_may_be_addressed_to_where_it_listens() -> None:
    otlp = Otlp(hosts=("box",), bind=("127.0.0.2", "fd00::1", "0.0.0.0"))
    assert otlp.names == {"box", "127.0.0.2", "fd00::1"}
    Guard(otlp.names).check(b"[fd00::1]:4318", {})
    with pytest.raises(Refused):
        Guard(otlp.names).check(b"0.0.0.0:4318", {})


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "tls_cert"),
        ({"token": "0123456789abcdef"}, "tls_cert"),
        ({"tls_cert": "/nowhere", "tls_key": "/nowhere"}, "token"),
        ({"tls_cert": "/nowhere", "tls_key": "/nowhere", "token": "0123456789abcdef"}, "No such file"),
    ],
)
async def test_beyond_loopback_it_does_not_start_without_token_and_tls(settings: dict[str, str], why: str) -> None:
    with PrivateBus() as bus, pytest.raises(ConfigError, match=why):
        async with live(bus, bind=["0.0.0.0"], **settings):
            pass


def test_a_token_beside_config_toml_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "aimond" / "token"
    file.parent.mkdir()
    assert secret(load().otlp) == ""
    file.write_text("0123456789abcdef\n")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        secret(load().otlp)
    file.chmod(0o600)
    assert secret(load().otlp) == "0123456789abcdef"
    file.write_text("short\n")
    with pytest.raises(ConfigError, match="16 to 256") as raised:
        secret(load().otlp)
    assert "short" not in str(raised.value)
