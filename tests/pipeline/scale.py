"""How many desktops one collector carries: ``python -m tests.pipeline.scale [SECONDS]``.

Tapes of all three CLIs are sent by more and more senders at once, as fast as they are taken, to a collector that runs
alloy/aimond.alloy on one core. What a desktop sends is what those tapes hold in their own time. Prints a table."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.pipeline.conftest import collecting
from tests.pipeline.records import KINDS, Request, requests
from tests.pipeline.sink import sink
from tests.recorded import PATHS, name, tape

# Interactive sessions: people at work, with their pauses.
PLAYED = ("claude/2.1.330/tui", "claude/2.1.330/tui-auto", "codex/0.169.0/tui", "gemini/0.61.0/tui-steps")
SENDERS = (1, 2, 4, 8, 16)
Body = tuple[str, bytes]


@dataclass
class Load:
    """What all senders together have had taken, refused, and waited for."""

    taken: int = 0
    refused: int = 0
    waits: list[float] = field(default_factory=list)


def main(seconds: float) -> None:
    chosen = [path for path in PATHS if name(path) in PLAYED]
    everything = [request for path in chosen for request in requests(path)]
    lasts = sum(tape(path).lines[-1].t for path in chosen)
    rate = len(everything) / lasts  # of one session that is worked in
    size = sum(len(message.SerializeToString()) for _, message in everything)
    records = sum(_records(request) for request in everything)
    print(f"a session: {rate:.2f} requests/s, {records / lasts:.0f} records/s, {size / lasts / 1024:.1f} KiB/s")
    print("senders  requests/s  records/s  cores  p50 ms  p99 ms  refused  memory MiB  sessions per core")
    bodies = [(signal, message.SerializeToString()) for signal, message in everything]
    with sink() as upstream, tempfile.TemporaryDirectory() as directory:
        backends = {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url, "GOMAXPROCS": "1"}
        for senders in SENDERS:
            with collecting(Path(directory) / str(senders), **backends) as collector:
                before, began = _cpu(collector.pid), time.monotonic()
                load = _sent(collector.aimond, bodies, senders, seconds)
                took = time.monotonic() - began
                cores = (_cpu(collector.pid) - before) / took
                memory = _memory(collector.pid)
            upstream.requests.clear()
            waits = sorted(load.waits)
            median, late = waits[len(waits) // 2] * 1000, waits[len(waits) * 99 // 100] * 1000
            per_second = load.taken / took
            print(
                f"{senders:7}  {per_second:10.0f}  {per_second * records / len(bodies):9.0f}  {cores:5.2f}"
                f"  {median:6.1f}  {late:6.1f}  {load.refused:7}  {memory:10}  {per_second / cores / rate:17.0f}",
                flush=True,
            )


def _sent(port: int, bodies: list[Body], senders: int, seconds: float) -> Load:
    """What came of sending for that long."""
    load, until = Load(), time.monotonic() + seconds

    def send(first: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        place = first
        while time.monotonic() < until:
            signal, body = bodies[place % len(bodies)]
            began = time.monotonic()
            connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            load.waits.append(time.monotonic() - began)
            if answer.status == 200:
                load.taken += 1
            else:
                load.refused += 1
            place += 1

    threads = [threading.Thread(target=send, args=(number * 7,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def _records(request: Request) -> int:
    signal, message = request
    of_scopes, items = {
        "traces": ("scope_spans", "spans"),
        "logs": ("scope_logs", "log_records"),
        "metrics": ("scope_metrics", "metrics"),
    }[signal]
    return sum(
        len(getattr(of_scope, items))
        for of_resource in getattr(message, KINDS[signal])
        for of_scope in getattr(of_resource, of_scopes)
    )


def _cpu(pid: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _memory(pid: int) -> int:
    """MiB resident at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
