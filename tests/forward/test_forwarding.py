"""A daemon that forwards, black box: tapes in at one end, an upstream at the other."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from aimond.forward import mapping as m
from aimond.forward.spool import Spool
from aimond.otlp.record import Batch
from aimond.process import proc
from aimond.tape import read
from tests.busdaemon import PrivateBus
from tests.daemon.live import Live, live
from tests.forward import normal
from tests.forward.desk import log
from tests.forward.upstream import Said, Upstream
from tests.recorded import PATHS, name

SPAWN = next(path for path in PATHS if name(path) == "codex/0.169.0/spawn")
JSON = {"Content-Type": "application/json"}
GEMINI = next(path for path in PATHS if name(path) == "gemini/0.61.0/tui-steps")


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with PrivateBus() as bus:
        yield bus


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "aimond" / "spool"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream().start()
    yield upstream
    upstream.stop()


def to(upstream: Upstream, **more: Any) -> dict[str, Any]:
    settings = {"endpoint": upstream.endpoint, "protocol": upstream.protocol, "linger": 0, **more}
    return {"forward": settings}


async def until(what: Callable[[], Any]) -> None:
    """Wait for it; it may have to be asked for."""
    async with asyncio.timeout(30):
        while True:
            found = what()
            if await found if isawaitable(found) else found:
                return
            await asyncio.sleep(0.02)


async def post(running: Live, body: bytes, path: str = "/v1/logs") -> int:
    headers = {"Content-Type": "application/x-protobuf"}
    async with ClientSession() as session, session.post(running.url(path), data=body, headers=headers) as answer:
        return answer.status


async def health(running: Live) -> dict[str, Any]:
    properties: dict[str, Any] = (await running.reader.properties())["ForwardHealth"]
    return {key: getattr(value, "value", value) for key, value in properties.items()}


async def has_sent(running: Live, requests: int) -> bool:
    return bool((await health(running))["Sent"] >= requests)


async def state_is(running: Live, state: str) -> bool:
    return bool((await health(running))["State"] == state)


async def settled(running: Live, requests: int) -> bool:
    shown = await health(running)
    return bool(shown["Sent"] + shown["Dropped"] == requests)


async def metrics(running: Live) -> dict[str, float]:
    async with ClientSession() as session, session.get(running.url("/metrics")) as answer:
        rows = re.findall(r"^(aimond_forward\S*) (\S+)$", await answer.text(), re.MULTILINE)
    return {row: float(number) for row, number in rows}


def spans(upstream: Upstream) -> list[tuple[str, str, int | None]]:
    """Session, model and input of each call's span that was taken."""
    got = [(each.signal, each.request) for each in upstream.taken]
    return sorted(
        (attributes.text(m.SESSION), attributes.text(m.MODEL), attributes.whole(m.INPUT))
        for signal, _, _, attributes in normal.records(got)
        if signal == "traces" and attributes.get(m.KIND) == "LLM"
    )


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_tape_arrives_normalized(bus: PrivateBus, protocol: str) -> None:
    upstream = Upstream(protocol).start()
    async with live(bus, more=to(upstream, linger=2)) as running:
        sent = await running.post(read(SPAWN))
        await until(lambda: len(spans(upstream)) == 5)
        await running.until_understood(sent)
        assert len(running.seen) == 2, "and on the desktop, as ever"
    upstream.stop()
    assert {session for session, _, _ in spans(upstream)} == {each["Id"] for each in running.seen.values()}
    assert all(model and tokens for _, model, tokens in spans(upstream))


async def test_raw_is_as_received_but_for_the_mark(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream, mode="raw")) as running:
        await running.post(read(GEMINI))
        expected = normal.native(GEMINI)
        await until(
            lambda: sum(len(of(each.request)) for each in upstream.taken) == sum(len(of(r)) for _, r in expected)
        )
    for signal_ in ("logs", "traces", "metrics"):
        whole = [each for got in upstream.taken if got.signal == signal_ for each in of(got.request)]
        for resource in whole:
            (mark,) = [pair for pair in resource.resource.attributes if pair.key == "aimond.instance"]
            resource.resource.attributes.remove(mark)
        assert whole == [each for kind, request in expected if kind == signal_ for each in of(request)]


def of(request: Any) -> Any:
    """The resources of a request of any signal."""
    return request.ListFields()[0][1] if request.ListFields() else []


async def test_only_chosen_signals_are_forwarded(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream, signals=["traces"])) as running:
        await running.post(read(SPAWN))
        await until(lambda: len(spans(upstream)) == 5)
    assert {got.signal for got in upstream.got} == {"traces"}


async def test_what_comes_back_in_a_loop_is_cut(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream)) as running:
        await post(running, log("one"))
        await until(lambda: upstream.logs() == ["one"])
        back = upstream.taken[0].request.SerializeToString()
        assert await post(running, back + log("two")) == 200  # a collector has put another's with it
        await until(lambda: upstream.logs()[-1] == "two")
        assert await post(running, back) == 200
        await post(running, log("three"))
        await until(lambda: upstream.logs()[-1] == "three")
        assert [each.event_name for got in upstream.taken[1:] for each in records(got.request)] == ["two", "three"]
        assert (await metrics(running))["aimond_forward_loops_total"] == 2


def records(request: Any) -> list[Any]:
    return [each for one in request.resource_logs for each in one.scope_logs[0].log_records]


async def test_an_upstream_away_for_the_whole_run_gets_it_in_the_next(bus: PrivateBus, state: Path) -> None:
    upstream = Upstream().start()
    upstream.stop()
    async with live(bus, more=to(upstream)) as running:
        for n in range(10):
            assert await post(running, log(f"{n}")) == 200
        await until(lambda: state_is(running, "retrying"))
        assert "Connection refused" in (await health(running))["LastError"]
    upstream.start()
    async with live(bus, more=to(upstream)):
        await until(lambda: upstream.logs() == [f"{n}" for n in range(10)])
    upstream.stop()


async def test_all_that_was_answered_while_the_monitor_ended_is_sent_by_the_next(bus: PrivateBus) -> None:
    upstream = Upstream().start()
    upstream.stop()
    answered: list[str] = []

    async def cli() -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        async with ClientSession(headers=headers) as session:
            with suppress(ClientError):
                while (await session.post(running.url("/v1/logs"), data=log(f"{len(answered)}"))).status == 200:
                    answered.append(f"{len(answered)}")

    async with live(bus, more=to(upstream)) as running:
        sending = asyncio.create_task(cli())
        await until(lambda: len(answered) > 10)
    await sending
    upstream.start()
    async with live(bus, more=to(upstream)):
        await until(lambda: len(upstream.logs()) >= len(answered))
    assert upstream.logs() == answered
    upstream.stop()


async def test_a_sender_that_is_killed_is_started_again_and_loses_nothing(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream), but="it is started again") as running:
        await post(running, log("one"))
        await until(lambda: upstream.logs() == ["one"])
        (child,) = senders()
        os.kill(child, signal.SIGKILL)
        await post(running, log("two"))
        await until(lambda: set(upstream.logs()) == {"one", "two"})
        await until(lambda: has_sent(running, 1))


async def test_a_stop_before_forwarding_is_begun_again_keeps_what_waits(
    bus: PrivateBus, upstream: Upstream, state: Path
) -> None:
    other = Spool(state, 10**6)
    async with live(bus, more=to(upstream), but="it is started again") as running:
        await until(lambda: state_is(running, "dropping"))
        assert await post(running, log("one")) == 200
        other.close()
    async with live(bus, more=to(upstream)):
        await until(lambda: upstream.logs() == ["one"])


async def test_a_stop_while_the_sender_leaves_keeps_what_waits(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream), but="it is started again") as running:
        await until(senders)
        (child,) = senders()
        os.kill(child, signal.SIGKILL)
        tee = running.daemon._forward
        await until(lambda: bool(tee._leaving))  # type: ignore[attr-defined]
        assert await post(running, log("one")) == 200
    async with live(bus, more=to(upstream)):
        await until(lambda: upstream.logs() == ["one"])


async def test_a_signal_to_all_leaves_the_sender_its_last_words(bus: PrivateBus, upstream: Upstream) -> None:
    """Ctrl-C and systemd signal all processes at once."""
    async with live(bus, more=to(upstream)) as running:
        await post(running, log("one"))
        await until(lambda: upstream.logs() == ["one"])
        before = senders()
        for each in (signal.SIGINT, signal.SIGTERM):
            os.kill(before[0], each)
        await post(running, log("two"))
        await until(lambda: upstream.logs() == ["one", "two"])
        assert senders() == before


async def test_a_request_that_no_rule_can_read_keeps_no_others_up(bus: PrivateBus, upstream: Upstream) -> None:
    digits = "9" * 310
    record = f'{{"body": {{"doubleValue": {digits}}}}}'
    logs = f'{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{record}]}}]}}]}}'
    async with live(bus, more=to(upstream)) as running:
        async with ClientSession() as session:
            answer = await session.post(running.url("/v1/logs"), data=logs, headers=JSON)
            assert answer.status == 200
        await post(running, log("good"))
        await until(lambda: upstream.logs() == ["good"])
        await until(lambda: settled(running, 2))
        shown = await health(running)
        assert (shown["Dropped"], shown["State"]) == (1, "ok") and digits[:9] not in shown["LastError"]


async def test_the_sender_leaves_with_the_monitor(bus: PrivateBus, upstream: Upstream) -> None:
    async with live(bus, more=to(upstream)):
        await until(senders)
    assert senders() == []


def senders() -> list[int]:
    """The processes that this one has started to send."""
    return [child for child in proc.children(os.getpid()) if b"aimond.forward" in proc.content(child, "cmdline", 4096)]


async def test_refusals_are_counted_and_shown(bus: PrivateBus, upstream: Upstream) -> None:
    upstream.answers = [Said(400)]
    async with live(bus, more=to(upstream)) as running:
        await post(running, log("bad"))
        await post(running, log("good"))
        await until(lambda: upstream.logs()[-1:] == ["good"])
        await until(lambda: settled(running, 2))
        shown = await health(running)
        assert shown["State"] == "ok"
        counted = await metrics(running)
        assert counted["aimond_forward_sent_total"] == shown["Sent"]
        assert counted['aimond_forward_dropped_total{reason="refused"}'] == shown["Dropped"]


async def test_a_spool_in_use_is_waited_for_and_hurts_nobody(bus: PrivateBus, upstream: Upstream, state: Path) -> None:
    other = Spool(state, 10**6)
    async with live(bus, more=to(upstream), but="it is started again") as running:
        assert await post(running, log("one")) == 200
        await until(lambda: state_is(running, "dropping"))
        other.close()
        await until(lambda: upstream.logs() == ["one"])


def test_no_forwarding_costs_nothing_of_its_own(bus: PrivateBus) -> None:
    import subprocess
    import sys

    code = "import sys, aimond.daemon; sys.exit('aimond.forward.tee' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_batch_is_emptied_where_nobody_forwards() -> None:
    assert Batch("logs", "protobuf", None, 0).body == b""
