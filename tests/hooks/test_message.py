"""Whatever a message says, it is delivered with what is right in it, or malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimond.hooks.message import ANCESTORS, MAX_MESSAGE, WORD, Context, Delivered, Flaw, Malformed, delivered

NOW = 1_790_000_000_000_000
STOP = {"session_id": "s", "hook_event_name": "Stop"}
SAID = {"agent": "codex", "payload": STOP}


def context(said: Any, pid: int = 0) -> Context:
    return delivered({**SAID, "context": said}, NOW, pid).context


def flaw(message: Any) -> Flaw:
    with pytest.raises(Malformed) as raised:
        delivered(message, NOW)
    return raised.value.flaw


def test_the_bus_and_the_socket_are_read_alike() -> None:
    """Over D-Bus, the payload is text and the context plain values; a program sends all of it as one JSON object."""
    said = {
        "pid": 7,
        "ppid": 6,
        "ancestors": [(6, 60), (1, 0)],
        "tty": "/dev/pts/3",
        "TMUX": "/t,1,0",
        "TMUX_PANE": "%2",
    }
    over_bus = delivered({"agent": "codex", "payload": json.dumps(STOP), "context": said}, NOW)
    over_socket = delivered(json.dumps({**SAID, "via": "hook", "context": said}).encode(), NOW, 7)
    where = Context(7, 6, ((6, 60), (1, 0)), "/dev/pts/3", "/t,1,0", "%2")
    assert over_bus == over_socket == Delivered("codex", "hook", "Stop", STOP, where, NOW, NOW)


def test_notify_calls_its_event_a_type() -> None:
    told = delivered({**SAID, "via": "notify", "payload": {"type": "agent-turn-complete"}}, NOW)
    assert (told.via, told.event) == ("notify", "agent-turn-complete")
    both = {"type": "x", "hook_event_name": "Stop"}
    assert delivered({**SAID, "via": "other", "payload": both}, NOW).event == "Stop"


def test_the_kernel_knows_a_pid_better() -> None:
    said = {"pid": 7, "ppid": 6, "ancestors": [[6, 60]]}
    assert context(said, 7) == context(said) == Context(7, 6, ((6, 60),))
    assert context({**said, "pid": 0}, 7) == Context(7, 6, ((6, 60),))


def test_pids_of_another_container_are_not_believed() -> None:
    said = {"pid": 7, "ppid": 6, "ancestors": [[6, 60]], "tty": "/dev/pts/3"}
    assert context(said, 4711) == Context(4711, tty="/dev/pts/3")


def test_a_time_that_cannot_be_is_that_of_arrival_and_nothing_waits_for_longer_than_2_s() -> None:
    for at, believed in (
        (NOW, NOW),
        (NOW - 2_000_000, NOW - 2_000_000),
        (NOW - 2_000_001, NOW - 2_000_000),
        (NOW + 1, NOW),
        (0, NOW),
        (-1, NOW),
        (float(NOW), NOW),
        (True, NOW),
        ("x", NOW),
        (10**400, NOW),
    ):
        told = delivered({**SAID, "context": {"at": at}}, NOW)
        assert (told.at, told.seen) == (believed, NOW)


ODD = [None, True, -1, 0, 2**22, 2**64, 10**400, 1.5, float("nan"), "", "7", "\ud83d", "\x00", "x" * 5000, [], {}, [[]]]


@pytest.mark.parametrize("key", ["pid", "ppid", "ancestors", "tty", "TMUX", "TMUX_PANE", "at"])
def test_what_is_odd_in_a_context_is_unknown(key: str) -> None:
    for odd in ODD:
        expected = Context(tmux="7") if (key, odd) == ("TMUX", "7") else Context()
        assert context({key: odd}) == expected


def test_odd_ancestors_are_left_out_and_not_too_many_are_kept() -> None:
    assert context({"ancestors": [[5, 1], [0, 1], 7, "ab", [4], [3, 1, 1], [2, -1], [True, 1], (1, 2)]}).ancestors == (
        (5, 1),
        (2, 0),
        (1, 2),
    )
    assert len(context({"ancestors": [[5, 1]] * 1000}).ancestors) == ANCESTORS


@pytest.mark.parametrize("odd", ODD)
def test_a_context_of_another_kind_is_none(odd: Any) -> None:
    assert context(odd) == Context()


@pytest.mark.parametrize("odd", [each for each in ODD if each != "7"])
def test_a_message_needs_an_agent_a_payload_and_an_event(odd: Any) -> None:
    assert flaw({"agent": odd, "payload": STOP}) is Flaw.NO_AGENT
    assert flaw({**SAID, "payload": odd}) in (Flaw.NO_PAYLOAD, Flaw.NOT_JSON, Flaw.NO_EVENT)
    assert flaw({**SAID, "payload": {"hook_event_name": odd}}) is Flaw.NO_EVENT
    assert flaw({**SAID, "payload": {"type": odd}}) is Flaw.NO_EVENT


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", Flaw.NOT_JSON),
        (b"{", Flaw.NOT_JSON),
        (b"[]", Flaw.NOT_JSON),
        (b"\xef\xbb\xbf{}", Flaw.NOT_JSON),
        (b"[" * 10_000, Flaw.TOO_DEEP),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Flaw.TOO_DEEP),
        (b" " * (MAX_MESSAGE + 1), Flaw.TOO_LARGE),
        (b"{}", Flaw.NO_AGENT),
        (b'{"agent": "a"}', Flaw.NO_PAYLOAD),
        (b'{"agent": "a", "payload": "{"}', Flaw.NOT_JSON),
        ({"agent": "a", "payload": "[" * 10_000}, Flaw.TOO_DEEP),
        ({"agent": "a", "payload": " " * (MAX_MESSAGE + 1)}, Flaw.TOO_LARGE),
    ],
    ids=range(12),
)
def test_what_is_no_message_says_why(message: Any, expected: Flaw) -> None:
    assert flaw(message) is expected


def test_odd_json_is_harmless() -> None:
    payload = b"""{"hook_event_name": "Stop", "a": NaN, "b": -Infinity, "c": 1e999, "d": %b, "e": "\\ud83d", "a": 1,
        "f": "\x00\n", "g": "\xff", "h": -12}"""
    told = delivered(b'{"agent": "a", "payload": %b}' % (payload % (b"9" * 10_000)), NOW)
    assert told.fields == {
        "hook_event_name": "Stop",
        "a": 1,
        "b": None,
        "c": float("inf"),
        "d": None,
        "e": "\ud83d",
        "f": "\x00\n",
        "g": "\ufffd",
        "h": -12,
    }


KEYS = st.sampled_from(
    ["agent", "payload", "context", "via", "hook_event_name", "type", "pid", "ancestors", "at", "tty"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just("a")
    | st.just('{"type":"a"}'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, JSON)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.binary(max_size=200) | OBJECTS | OBJECTS.map(lambda said: json.dumps(said).encode()), st.integers(0, 2**22))
def test_anything_is_delivered_or_malformed(message: Any, pid: int) -> None:
    try:
        told = delivered(message, NOW, pid)
    except Malformed:
        return
    where = told.context
    assert told.via in ("hook", "notify")
    assert isinstance(told.fields, dict)
    for word in (told.agent, told.event, where.tty, where.tmux, where.tmux_pane):
        assert word.isprintable() and len(word) <= WORD
    assert told.agent and told.event
    assert NOW - 2_000_000 <= told.at <= told.seen == NOW
    assert not pid or where.pid == pid
    assert all(type(number) is int and number >= 0 for pair in where.ancestors for number in pair)
