"""Limits of the machine: no file descriptors, no memory, thousands of connections, and clients that take their time."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from aimond.otlp import http as otlp_http
from aimond.otlp.ports import listen
from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop
from tests.faults.playing import GENEROUS, TAPES

MIB = 2**20
TAPE = next(path for path in TAPES if "claude" in str(path))


class Monitor:
    """A real one, its own process."""

    def __init__(self, desktop: Desktop, process: subprocess.Popen[str]) -> None:
        self.desktop, self.pid = desktop, process.pid

    @property
    def files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def busy(self) -> float:
        """CPU seconds until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) * 1024

    def limit(self, what: int, most: int) -> None:
        resource.prlimit(self.pid, what, (most, resource.RLIM_INFINITY if what == resource.RLIMIT_AS else 4096))

    def post(self, body: bytes) -> int:
        """The status, 0 where the connection ended without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.desktop.http, timeout=GENEROUS)
        try:
            connection.request("POST", "/v1/logs", body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def is_well(self) -> bool:
        """It takes a tape in, and readers see it."""
        end = time.monotonic() + GENEROUS
        while self.post(b"{}") != 200:
            assert time.monotonic() < end, "it takes nothing any more"
            time.sleep(0.1)
        sent = self.desktop.run("replay", str(TAPE), "--to", f"http://127.0.0.1:{self.desktop.http}", "--speed", "max")
        assert sent.returncode == 0, sent.stderr
        return bool(json.loads(self.desktop.run("status", "--json").stdout)["sessions"])


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with PrivateBus() as bus:
        yield Desktop(bus, tmp_path)


@contextmanager
def monitor(desktop: Desktop) -> Iterator[Monitor]:
    """What it wrote is read at the end: no traceback may be in it."""
    with desktop.monitor() as process:
        yield Monitor(desktop, process)
        process.terminate()
        assert process.stderr
        said = process.stderr.read()
        assert "Traceback" not in said, said
        assert process.wait(GENEROUS) == 0


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=GENEROUS)


def test_out_of_file_descriptors_it_waits_without_work_and_goes_on(desktop: Desktop) -> None:
    with monitor(desktop) as one:
        one.limit(resource.RLIMIT_NOFILE, one.files + 10)
        with ExitStack() as held:
            for _ in range(60):
                with suppress(OSError):
                    held.enter_context(connect(desktop.http))
            before, began = one.busy, time.monotonic()
            time.sleep(2)
            assert one.busy - before < 0.25 * (time.monotonic() - began), "it spins"
        one.limit(resource.RLIMIT_NOFILE, 1024)
        assert one.is_well()


def test_out_of_memory_a_request_fails_and_the_monitor_goes_on(desktop: Desktop) -> None:
    with monitor(desktop) as one:
        one.limit(resource.RLIMIT_AS, one.memory("VmSize") + 48 * MIB)
        body = b'{"resourceLogs":[' + b'{"a":[{}]},' * 1_000_000 + b"{}]}"
        assert one.post(body) in (0, 400, 429, 500, 503)
        one.limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        assert one.is_well()


def test_thousands_of_connections_held_open_are_turned_away_and_cost_little(desktop: Desktop) -> None:
    with monitor(desktop) as one:
        assert one.is_well()
        files, memory = one.files, one.memory("VmRSS")
        with ExitStack() as held:
            for _ in range(1300):
                held.enter_context(connect(desktop.http)).sendall(b"POST /v1/logs HTTP/1.1\r\n")
            assert one.files - files < 2 * 512 + 50
            assert one.memory("VmRSS") - memory < 32 * MIB
        assert one.is_well()
        end = time.monotonic() + GENEROUS
        while one.files > files + 5:
            assert time.monotonic() < end, "connections that are gone are kept"
            time.sleep(0.1)


async def test_a_client_that_sends_byte_by_byte_is_cut_off_in_time() -> None:
    listeners = listen(["127.0.0.1"], 0)
    async with otlp_http.receiving(lambda batch: True, listeners, patience=0.5) as server:
        reader, writer = await asyncio.open_connection(*listeners[0].getsockname())
        began = time.monotonic()
        for byte in b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b" " * 1_500:
            if reader._buffer or reader.at_eof():  # type: ignore[attr-defined]
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert (await asyncio.wait_for(reader.readline(), GENEROUS)).split()[1] == b"408"
        assert time.monotonic() - began < GENEROUS
        writer.close()
        async with asyncio.timeout(GENEROUS):
            while server.open:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
