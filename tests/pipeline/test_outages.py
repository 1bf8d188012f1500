"""What a desktop forwards to is away, slow, unwilling, or behind a full disk: the desktop does not notice, what can be
kept arrives once and in its order, and what cannot is counted, exactly."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.forward.desk import log
from tests.forward.upstream import Said, Upstream
from tests.pipeline.conftest import collecting, post, post_bytes
from tests.pipeline.desktop import Desktop, desktop
from tests.pipeline.records import Request, happening_now
from tests.pipeline.running import free_port, get, until
from tests.pipeline.sink import Sink, sink
from tests.recorded import PATHS, name

PATIENT = '[forward]\nendpoint = "{url}"\nlinger = 0\n'
FORWARD = PATIENT + "timeout = 2\n"
TAPE = next(path for path in PATHS if name(path) == "claude/2.1.330/tui")
COUNT = 60
WORK = len(happening_now(TAPE))
# Seconds within which requests are answered, the median and the slowest: a busy machine has its pauses. A desktop that
# waited for its upstream would take longer.
AT_ONCE, PAUSE = 0.1, 2.0


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream().start()
    yield found
    found.stop()


def forwarding(aimond: Desktop) -> Counter[str]:
    """What /metrics says of it."""
    rows = re.findall(r"^aimond_forward_(\S+) (\S+)$", get(f"{aimond.url}/metrics"), re.MULTILINE)
    return Counter({row: int(float(number)) for row, number in rows})


def lost(aimond: Desktop, reason: str) -> int:
    return forwarding(aimond)[f'dropped_total{{reason="{reason}"}}']


def accounted(aimond: Desktop) -> int:
    """The requests that were taken, or that no room was found for."""
    return forwarding(aimond)["sent_total"] + lost(aimond, "disk")


def padded(name: str, size: int) -> bytes:
    """A record of which all goes to the disk: bodies do not."""
    request = ExportLogsServiceRequest.FromString(log(name))
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.add(key="padding").value.string_value = "x" * size
    return request.SerializeToString()


def send(aimond: Desktop, numbers: range, padding: int = 0) -> None:
    """Log records with those names, a request each; every one is answered at once."""
    took = []
    for number in numbers:
        began = time.monotonic()
        post_bytes(aimond.port, "logs", padded(str(number), padding))
        took.append(time.monotonic() - began)
    assert median(took) < AT_ONCE
    assert max(took) < PAUSE


def work(aimond: Desktop) -> None:
    """A session of a CLI is seen to its end, as ever."""
    post(aimond.port, happening_now(TAPE))
    calls = re.compile(r'^aimond_model_calls_total\{.*agent="claude-code".*\} [1-9]', re.MULTILINE)
    until(lambda: calls.search(get(f"{aimond.url}/metrics")), "the desktop counts no call", within=10)


def names(upstream: Upstream) -> list[int]:
    """The numbers that were taken, in their order."""
    return [int(each) for each in upstream.logs() if each.isdecimal()]


UNWILLING = {
    "says 429": Said(429, retry_after="1"),
    "says 503": Said(503),
    "hangs up": Said(hang_up=True),
    "takes longer than its time": Said(wait=2.5),
}


@pytest.mark.parametrize("how", UNWILLING)
def test_an_upstream_that_does_not_take_it_yet_gets_it_later(how: str, upstream: Upstream, tmp_path: Path) -> None:
    upstream.always = UNWILLING[how]
    with desktop(tmp_path, FORWARD.format(url=upstream.endpoint)) as aimond:
        send(aimond, range(COUNT))
        work(aimond)
        until(lambda: len(upstream.got) > 1, "it is not tried again")
        tried = len(upstream.taken)
        upstream.always = Said()
        until(lambda: set(names(upstream)) == set(range(COUNT)), "not all of it came")
        until(lambda: forwarding(aimond)["sent_total"] == COUNT + WORK, "something stays behind")
        assert not any(key.startswith("dropped") and value for key, value in forwarding(aimond).items())
    once = list(dict.fromkeys(names(upstream)))
    assert once == list(range(COUNT)), "order is kept"
    if not tried:  # what is taken too late is sent again, as OTLP has it
        assert names(upstream) == once


def test_an_upstream_that_is_slow_gets_everything_once(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always = Said(wait=0.3)
    with desktop(tmp_path, FORWARD.format(url=upstream.endpoint)) as aimond:
        send(aimond, range(COUNT))
        work(aimond)
        until(lambda: names(upstream) == list(range(COUNT)), "not all of it came, once and in its order")


def test_what_an_upstream_refuses_is_counted_one_by_one(upstream: Upstream, tmp_path: Path) -> None:
    upstream.refuses = lambda request: any(
        int(record.event_name) % 3 == 0
        for of_resource in request.resource_logs
        for of_scope in of_resource.scope_logs
        for record in of_scope.log_records
        if record.event_name.isdecimal()
    )
    with desktop(tmp_path, FORWARD.format(url=upstream.endpoint)) as aimond:
        send(aimond, range(COUNT))
        wanted = [number for number in range(COUNT) if number % 3]
        until(lambda: names(upstream) == wanted, "what is taken did not come")
        until(lambda: lost(aimond, "refused") == COUNT - len(wanted), "refusals are not counted")
        work(aimond)
        assert lost(aimond, "refused") == COUNT - len(wanted)


def test_a_spool_at_its_bound_drops_the_oldest_and_counts_them(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always = Said(503)
    settings = FORWARD.format(url=upstream.endpoint) + "spool_mb = 20\n"
    with desktop(tmp_path, settings) as aimond:
        send(aimond, range(COUNT), padding=2**20)
        work(aimond)
        assert forwarding(aimond)["spool_bytes"] <= 20_000_000
        upstream.always = Said()
        until(lambda: COUNT - 1 in names(upstream), "the newest did not come")
        came = names(upstream)
        until(lambda: len(came) + lost(aimond, "spool") == COUNT, f"{len(came)} of {COUNT} came")
    assert came == sorted(set(came)), "once, and in their order"
    assert 15 < len(came) < 25


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_the_new_are_lost_and_counted_and_the_old_arrive(
    upstream: Upstream, tmp_path: Path, disk: Path
) -> None:
    upstream.always = Said(503)
    (tmp_path / "aimond").mkdir()
    (tmp_path / "aimond" / "spool").symlink_to(disk)
    with desktop(tmp_path, FORWARD.format(url=upstream.endpoint)) as aimond:
        send(aimond, range(COUNT), padding=2**16)
        work(aimond)
        until(lambda: lost(aimond, "disk"), "no loss is counted")
        upstream.always = Said()
        until(lambda: accounted(aimond) == COUNT + WORK, "losses are not counted exactly")
        send(aimond, range(COUNT, COUNT + 3))
        until(lambda: COUNT + 2 in names(upstream), "there is room, and nothing comes")
        came = names(upstream)
        assert len(came) + lost(aimond, "disk") >= COUNT + 3
        until(lambda: accounted(aimond) == COUNT + 3 + WORK, "losses are not counted exactly")
    assert came == sorted(set(came))
    assert came[0] == 0
    assert 8 < len(came) < 20


# -- a real collector -------------------------------------------------------------------------------


def spans(requests: list[Request]) -> Counter[bytes]:
    return Counter(
        span.span_id
        for signal_, message in requests
        if signal_ == "traces"
        for of_resource in message.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    )


def backends(upstream: Sink) -> dict[str, str]:
    return {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url}


def until_once(upstream: Sink, wanted: Counter[bytes]) -> None:
    """Wait for these spans, each once."""

    def is_all() -> bool:
        came = spans(upstream.requests)
        odd.update(missing=(wanted - came).total(), too_many=(came - wanted).total())
        return came == wanted

    odd: dict[str, int] = {}
    try:
        until(is_all, "not all came, each once")
    except AssertionError as error:
        raise AssertionError(f"{error}; {odd}") from None


def test_a_collector_that_is_away_for_the_whole_run_gets_it_in_the_next(tmp_path: Path) -> None:
    port = free_port()
    settings = PATIENT.format(url=f"http://127.0.0.1:{port}")
    played = happening_now(TAPE)
    with desktop(tmp_path, settings) as aimond:
        post(aimond.port, played)
        until(lambda: forwarding(aimond)["spool_bytes"], "nothing is kept")
    with (
        sink() as upstream,
        collecting(tmp_path / "collector", port=port, **backends(upstream)),
        desktop(tmp_path, settings),
    ):
        until_once(upstream, spans(played))


def test_a_collector_that_is_killed_and_comes_back_gets_the_rest(tmp_path: Path) -> None:
    port = free_port()
    first, second = (happening_now(path) for path in (TAPE, TAPE.with_name("hooks.tape.jsonl.gz")))
    with sink() as upstream, desktop(tmp_path, PATIENT.format(url=f"http://127.0.0.1:{port}")) as aimond:
        with collecting(tmp_path / "collector", port=port, **backends(upstream)) as running:
            post(aimond.port, first)
            until_once(upstream, spans(first))
            os.kill(running.pid, signal.SIGKILL)
        work(aimond)
        post(aimond.port, second)
        with collecting(tmp_path / "collector", port=port, **backends(upstream)):
            wanted = spans(first) + spans(happening_now(TAPE)) + spans(second)
            until_once(upstream, wanted)
        assert not any(key.startswith("dropped") and value for key, value in forwarding(aimond).items())
