"""An upstream that takes, refuses, throttles, hangs and is gone; what was received gets there in order, and what does
not is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aimond.forward.normalize import Normalizer
from tests.forward.desk import Desk, log, span, until
from tests.forward.upstream import Said, Upstream

PROTOCOLS = ("http/protobuf", "grpc")


@pytest.fixture(params=PROTOCOLS)
def upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    upstream = Upstream(request.param).start()
    yield upstream
    upstream.stop()


@pytest.fixture
def desk(upstream: Upstream, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "spool", upstream, headers={"x-scope": "mine"}, timeout=1).start()
    yield desk
    desk.stop()
    desk.spool.close()


def test_what_is_received_gets_there_in_order_and_says_who_forwarded_it(desk: Desk, upstream: Upstream) -> None:
    for n in range(5):
        desk.put(log(f"a{n}"), log(f"b{n}"))
    names = [f"{letter}{n}" for n in range(5) for letter in "ab"]
    until(lambda: upstream.logs() == names)
    until(lambda: desk.report.sent == 10)
    got = upstream.got[0]
    assert got.headers["x-scope"] == "mine"
    (mark,) = got.request.resource_logs[0].resource.attributes
    assert (mark.key, mark.value.string_value) == ("aimond.instance", "f" * 32)
    assert desk.report.lost == desk.report.refused == 0


RETRIED = [
    Said(429, grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after="7"),
    Said(503, grpc.StatusCode.UNAVAILABLE),
    Said(502, grpc.StatusCode.ABORTED),
    Said(504, grpc.StatusCode.DEADLINE_EXCEEDED),
]


@pytest.mark.parametrize("said", RETRIED)
def test_what_may_be_tried_again_is_and_nothing_is_lost(desk: Desk, upstream: Upstream, said: Said) -> None:
    upstream.answers = [said, said]
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    desk.put(log("two"))
    until(lambda: upstream.logs() == ["one", "two"])
    assert len(upstream.got) == 4
    assert desk.states[1:3] == ["retrying", "retrying"]
    until(lambda: desk.report.state == "ok")


def test_an_upstream_says_how_long_to_wait(desk: Desk, upstream: Upstream) -> None:
    wait = "1" if upstream.protocol == "grpc" else "7"
    upstream.answers = [Said(429, grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=wait)]
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    assert desk.slept[0] == pytest.approx(float(wait), abs=0.05)


def test_pauses_grow_while_an_upstream_says_nothing_of_them(desk: Desk, upstream: Upstream) -> None:
    upstream.answers = [Said(503, grpc.StatusCode.UNAVAILABLE)] * 3
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    beginnings = [max(pauses) for pauses in _rising(desk.slept)]
    assert beginnings == sorted(beginnings) and 0.8 <= beginnings[0] <= 1.2 and 3.2 <= beginnings[-1] <= 4.8


def _rising(slept: list[float]) -> list[list[float]]:
    """Each pause is waited for in ever shorter parts."""
    pauses: list[list[float]] = []
    for seconds in slept:
        if not pauses or seconds > pauses[-1][-1]:
            pauses.append([])
        pauses[-1].append(seconds)
    return pauses


REFUSED = [
    Said(400, grpc.StatusCode.INVALID_ARGUMENT),
    Said(401, grpc.StatusCode.UNAUTHENTICATED),
    Said(413, grpc.StatusCode.RESOURCE_EXHAUSTED),
    Said(500, grpc.StatusCode.INTERNAL),
]


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_refused_for_good_is_not_sent_again(desk: Desk, upstream: Upstream, said: Said) -> None:
    upstream.answers = [said]
    desk.put(log("one"))
    until(lambda: desk.report.refused == 1)
    desk.put(log("two"))
    until(lambda: upstream.logs() == ["two"])
    assert len(upstream.got) == 2
    assert desk.report.error.startswith(
        f"gRPC status {said.grpc.value[0]}" if upstream.protocol == "grpc" else "HTTP 4"
    ) or (said.http == 500)


def test_a_bad_request_takes_no_others_with_it(upstream: Upstream, tmp_path: Path) -> None:
    def is_bad(request: Any) -> bool:
        return any(each.scope_logs[0].log_records[0].event_name == "bad" for each in request.resource_logs)

    upstream.refuses = is_bad
    desk = Desk(tmp_path / "spool", upstream)
    desk.put(log("one"), log("bad"), log("two"))
    desk.start()
    until(lambda: desk.report.sent + desk.report.refused == 3)
    desk.stop()
    assert upstream.logs() == ["one", "two"]
    assert (desk.report.sent, desk.report.refused) == (2, 1)


def test_records_that_a_taken_request_had_and_were_not_are_counted(desk: Desk, upstream: Upstream) -> None:
    upstream.answers = [Said(rejected=3)]
    desk.put(log("one"))
    until(lambda: desk.report.rejected == 3)
    assert (desk.report.sent, desk.report.error) == (1, "too old")
    assert len(upstream.got) == 1


def test_an_upstream_that_takes_too_long_is_asked_again(desk: Desk, upstream: Upstream) -> None:
    upstream.answers = [Said(wait=1.5)]
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    assert set(upstream.logs()) == {"one"}
    assert "timed out" in desk.report.error or "DEADLINE" in desk.report.error or "status 4" in desk.report.error


def test_an_upstream_that_is_gone_and_comes_back_gets_everything_in_order(desk: Desk, upstream: Upstream) -> None:
    desk.put(log("before"))
    until(lambda: desk.report.sent == 1)
    upstream.stop()
    for n in range(20):
        desk.put(log(f"{n}"))
    until(lambda: desk.report.state == "retrying")
    upstream.start()
    until(lambda: desk.report.sent == 21)
    assert upstream.logs() == ["before", *map(str, range(20))]


def test_a_courier_that_ends_and_begins_again_sends_the_rest_once(desk: Desk, upstream: Upstream) -> None:
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    desk.stop()
    desk.put(log("two"), log("three"))
    desk.start()
    until(lambda: upstream.logs() == ["one", "two", "three"])


def test_what_was_taken_is_not_sent_again_for_the_sake_of_another_signal(desk: Desk, upstream: Upstream) -> None:
    """Logs are taken, traces are not yet, and the process ends."""
    upstream.answers = [Said(), *[Said(503, grpc.StatusCode.UNAVAILABLE)] * 100]
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    desk.stop()
    upstream.answers = [Said(), *[Said(503, grpc.StatusCode.UNAVAILABLE)] * 100]
    desk.put(log("two"))
    desk.put(span("work"), signal="traces")
    desk.start()
    until(lambda: desk.report.state == "retrying")
    desk.stop()
    upstream.answers = []
    desk.put(log("three"))
    desk.start()
    until(lambda: upstream.logs() == ["one", "two", "three"])
    assert sum(got.signal == "traces" for got in upstream.taken) == 1


@pytest.mark.parametrize("step", ["read", "finish"])
def test_whatever_a_rule_makes_of_a_request_those_behind_it_are_sent(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A rule that nobody foresaw to fail; its words may quote the request."""

    def fail(_self: Any, *given: Any) -> Any:
        if b"bad" in str(given[-1]).encode():
            raise KeyError("secret")
        return getattr(Normalizer, f"_{step}")(_self, *given)

    monkeypatch.setattr(Normalizer, f"_{step}", getattr(Normalizer, step), raising=False)
    monkeypatch.setattr(Normalizer, step, fail)
    desk = Desk(tmp_path / "spool", upstream, normalizer=Normalizer(lambda *_: None)).start()
    desk.put(log("bad"), log("good"))
    until(lambda: upstream.logs() == ["good"])
    until(lambda: (desk.report.sent, desk.report.refused) == (1, 1))
    assert "KeyError" in desk.report.error and "secret" not in desk.report.error
    desk.stop()


def test_an_upstream_that_hangs_up_on_an_idle_connection_loses_nothing(tmp_path: Path) -> None:
    upstream = Upstream().start()
    desk = Desk(tmp_path / "spool", upstream).start()
    desk.put(log("one"))
    until(lambda: desk.report.sent == 1)
    upstream.answers = [Said(hang_up=True)]
    desk.put(log("two"))
    until(lambda: upstream.logs() == ["one", "two"])
    desk.stop()
    upstream.stop()


def test_what_no_longer_fits_the_spool_is_the_oldest_and_is_counted(tmp_path: Path) -> None:
    upstream = Upstream().start()
    upstream.always = Said(503)
    desk = Desk(tmp_path / "spool", upstream, limit=160_000).start()
    desk.put(log("0", 4000))
    until(lambda: desk.report.state == "retrying")
    for n in range(1, 100):
        desk.put(log(str(n), 4000))
    assert desk.spool.size <= 160_000
    upstream.always = Said()
    until(lambda: upstream.logs()[-1:] == ["99"])
    desk.stop()
    upstream.stop()
    names = upstream.logs()
    assert names == sorted(names, key=int), "order is kept"
    assert names[0] == "0", "what was under way is not taken back"
    assert len(names) + desk.report.lost == 100
    assert 50 < desk.report.lost < 80
