"""One bad program disturbs no other: strangers, floods, silence, and whatever bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimond.hooks import receive
from aimond.hooks.listen import listening
from aimond.hooks.message import MAX_MESSAGE, Delivered
from aimond.hooks.receive import receiving
from tests.hooks.desk import STOP, Desk, Told, descriptors

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


def message(**more: Any) -> bytes:
    return json.dumps({"agent": "claude-code", "payload": STOP, **more}).encode()


class Client:
    """A program that says what it is told to, when it is told to."""

    def __init__(self, desk: Desk) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._socket.connect(str(desk.socket))

    async def say(self, text: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, text)

    async def is_cut(self) -> bool:
        """Wait for the other side to hang up."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, 1) == b""
        except ConnectionResetError:
            return True

    def leave(self) -> None:
        self._socket.close()


async def say(desk: Desk, text: bytes) -> None:
    client = Client(desk)
    try:
        await client.say(text)
    except ConnectionError:
        assert await client.is_cut()
    client.leave()


async def still_hears(desk: Desk, told: Told) -> None:
    before = told.counts["delivered"]
    await say(desk, message())
    async with asyncio.timeout(10):
        while True:
            if told.counts["delivered"] > before:
                break
            await asyncio.sleep(0.001)


def timers() -> int:
    return sum(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]


async def test_a_message_may_come_in_pieces(desk: Desk, told: Told) -> None:
    client = Client(desk)
    for byte in message():
        await client.say(bytes([byte]))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert told.hooks == []
    told.now = 1_790_000_000_000_000
    client.leave()
    await told.until(1)
    assert (told.hook.fields, told.hook.seen, told.hook.context.pid) == (STOP, told.now, os.getpid())


async def test_what_is_said_before_anybody_listens_is_heard(desk: Desk) -> None:
    """The program is long gone when its connection is accepted."""
    told = Told()
    with listening(desk.socket) as listener:
        for _ in range(100):
            await say(desk, message())
        async with receiving(told.hooks.append, listener) as told.counts:
            await told.until(100)
    assert len(told.hooks) == 100


async def test_a_socket_that_somebody_else_opened_will_do(desk: Desk) -> None:
    """As systemd does; it stays open, and in its place."""
    told = Told()
    desk.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(desk.socket))
        listener.listen(5)
        async with receiving(told.hooks.append, listener) as told.counts:
            await still_hears(desk, told)
        await say(desk, message())
        async with receiving(told.hooks.append, listener) as told.counts:
            await told.until(1)
    assert len(told.hooks) == 2


async def test_a_look_whether_somebody_lives_is_no_message(desk: Desk, told: Told) -> None:
    Client(desk).leave()
    await still_hears(desk, told)
    assert told.dropped == {}


async def test_who_says_nothing_is_cut_and_when_all_is_quiet_nothing_ticks(
    desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "PATIENCE", 0.1)
    assert timers() == 0
    silent, slow = Client(desk), Client(desk)
    await slow.say(b'{"agent":')
    await asyncio.sleep(0.01)
    assert timers() == 1
    assert await silent.is_cut() and await slow.is_cut()
    assert told.dropped == {"too_slow": 2}
    assert timers() == 0
    for client in (silent, slow):
        client.leave()


async def test_more_than_may_talk_at_once_wait_for_their_turn(
    desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "PATIENCE", 0.3)
    silent = [Client(desk) for _ in range(receive.MAX_OPEN + 20)]
    await say(desk, message())
    await asyncio.sleep(0.02)
    assert sum(told.counts.values()) == 0
    await told.until(len(silent) + 1)
    assert (len(told.hooks), told.dropped) == (1, {"too_slow": len(silent)})
    for client in silent:
        client.leave()


def test_who_spoke_while_the_monitor_stood_still_is_heard(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the daemon's own loop, which looks at its timers before it looks again who has said something."""
    monkeypatch.setattr(receive, "PATIENCE", 0.05)
    told = Told()

    async def serve() -> None:
        def stand_still(hook: Delivered) -> None:
            told.hooks.append(hook)
            if len(told.hooks) == 1:
                late._socket.send(message())
                late.leave()
                time.sleep(0.1)

        with listening(desk.socket) as listener:
            async with receiving(stand_still, listener) as told.counts:
                late = Client(desk)
                await asyncio.sleep(0.01)
                await say(desk, message())
                await told.until(2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
    assert (len(told.hooks), told.dropped) == (2, {})


async def test_too_much_is_cut(desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(desk, b" " * (MAX_MESSAGE + 1))
    await told.until(1)
    assert told.dropped == {"too_large": 1}
    monkeypatch.setattr(receive, "MAX_BUFFERED", MAX_MESSAGE)
    clients = [Client(desk), Client(desk)]
    await clients[0].say(b" " * 1_200_000)
    await say(desk, b" " * 1_200_000)
    await told.until(2)
    assert told.dropped == {"too_large": 1, "too_much": 1}
    await clients[0].say(message())
    for client in clients:
        client.leave()
    await told.until(3)
    assert len(told.hooks) == 1
    for _ in range(3):
        await say(desk, b" " * 1_200_000 + message())  # nothing of what is over counts any more
    await told.until(6)
    assert len(told.hooks) == 4


async def test_the_largest_message_is_taken(desk: Desk, told: Told) -> None:
    text = message()
    await say(desk, text + b" " * (MAX_MESSAGE - len(text)))
    await told.until(1)
    assert told.hook.fields == STOP


@as_root
async def test_another_user_is_not_heard_even_where_the_socket_lets_him(desk: Desk, told: Told) -> None:
    for path, mode in ((desk.runtime, 0o711), (desk.socket.parent, 0o711), (desk.socket, 0o666)):
        path.chmod(mode)
    os.seteuid(65534)
    try:
        stranger = Client(desk)
    finally:
        os.seteuid(0)
    assert await stranger.is_cut()
    stranger.leave()
    assert (told.hooks, told.dropped) == ([], {"stranger": 1})
    await still_hears(desk, told)


@as_root
async def test_root_is_heard_by_everybody(desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    await still_hears(desk, told)


async def test_a_consumer_that_fails_is_logged_and_asked_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    def fail(hook: object) -> None:
        raise ValueError("a bug")

    with listening(desk.socket) as listener, caplog.at_level(logging.WARNING):
        async with receiving(fail, listener) as told.counts:
            for _ in range(12):
                await say(desk, message(payload={**STOP, "prompt": "a secret"}))
            await told.until(12)
    assert told.dropped == {"not_understood": 12}
    assert [record.message for record in caplog.records] == ["a hook was not understood; please report this"] * 2
    assert "secret" not in caplog.text


async def test_what_is_dropped_is_logged_ever_more_rarely(
    desk: Desk, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(120):
            await say(desk, b'{"agent": "a", "payload": "a secret"' + b"}" * (number == 7))
        await told.until(120)
    assert told.dropped == {"not_json": 120}
    assert [record.message for record in caplog.records] == [
        f"dropped what a hook said, not json: {count} so far" for count in (1, 10, 100)
    ]


async def test_without_file_descriptors_hooks_wait(
    desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(receive, "BREATH", 0.05)
    client = Client(desk)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        await client.say(message())
        client._socket.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.02)
        assert told.counts["delivered"] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await told.until(1)
    client.leave()
    assert "hooks must wait" in caplog.text
    assert told.hook.fields == STOP


async def test_the_end_hangs_up(desk: Desk) -> None:
    before = descriptors()
    with listening(desk.socket) as listener:
        async with receiving(lambda hook: None, listener):
            client = Client(desk)
            await client.say(b"{")
            await asyncio.sleep(0.01)
        assert await client.is_cut()
        client.leave()
        assert timers() == 0
    assert descriptors() == before


async def test_who_has_connected_in_time_is_heard_at_the_end(desk: Desk) -> None:
    """Some have spoken, some are about to; more than are listened to at once wait in the backlog."""
    told = Told()
    with listening(desk.socket) as listener:
        async with receiving(told.hooks.append, listener) as told.counts:
            clients = [Client(desk) for _ in range(10)]
            for _ in range(100):
                await say(desk, message())
            speaking = asyncio.ensure_future(speak(clients))
    await speaking
    assert len(told.hooks) == 110


async def test_who_says_nothing_holds_up_no_end(desk: Desk) -> None:
    told = Told()
    with listening(desk.socket) as listener:
        async with receiving(told.hooks.append, listener) as told.counts:
            silent = Client(desk)
        assert await asyncio.wait_for(silent.is_cut(), 10)
        assert timers() == 0
    assert told.dropped == {}


async def speak(clients: list[Client]) -> None:
    """A moment later, in two pieces."""
    for part in (message()[:20], message()[20:]):
        await asyncio.sleep(0.01)
        for client in clients:
            await client.say(part)
    for client in clients:
        client.leave()


# -- anything ---------------------------------------------------------------------------------------

anything = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def heard(desk: Desk, told: Told) -> AsyncIterator[Told]:
    yield told
    assert told.dropped.keys() <= {"not_json", "no_agent", "no_payload", "no_event", "too_deep"}


@anything
@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans())
async def test_any_bytes(desk: Desk, heard: Told, chunks: list[bytes], is_after_a_message: bool) -> None:
    client = Client(desk)
    for chunk in [message()] * is_after_a_message + chunks:
        await client.say(chunk)
    client.leave()
    await still_hears(desk, heard)


@anything
@given(st.data())
async def test_any_part_of_a_message(desk: Desk, heard: Told, data: st.DataObject) -> None:
    whole = message(context={"pid": 1, "ancestors": [[1, 1]]})
    before = dict(heard.counts)
    await say(desk, whole[: data.draw(st.integers(1, len(whole) - 1))])
    await heard.until(sum(before.values()) + 1)
    assert heard.counts == {**before, "not_json": before["not_json"] + 1}
    await still_hears(desk, heard)
