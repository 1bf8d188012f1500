"""What readers can ask, what they get, and what they get when they ask nonsense."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from dbus_fast import Message, MessageFlag, Variant
from dbus_fast.unpack import unpack_variants

from aimond.bus.service import Service
from aimond.core.change import Reason
from aimond.core.rows import UsageRow
from aimond.core.snapshot import Basis, State
from aimond.core.usage import Spent, Usage
from tests.bus.reader import INTROSPECTABLE, NAME, OBJECT_MANAGER, ONE, PROPERTIES, ROOT, SESSION, Reader, reading
from tests.bus.standin import NO_HOOKS, NOW, Standin
from tests.busdaemon import PrivateBus

DBUS_ERROR = "org.freedesktop.DBus.Error"


async def test_the_monitor_sums_up_all_sessions(service: Service, source: Standin, reader: Reader) -> None:
    source.add("a", state=State.WORKING, last_activity=NOW + 9)
    source.add("b", state=State.COMPLETED)
    source.add("c", state=State.QUIET)
    source.add("d", agent="codex", state=State.FAILED)
    source.add("e", agent="codex", state=State.WORKING, parent="d")
    told = unpack_variants(await reader.properties())
    assert told.pop("ForwardHealth") == {"State": "off", "Sent": 0, "Dropped": 0, "Spooled": 0, "LastError": ""}
    health = told.pop("TelemetryHealth")
    assert health["codex"] == {
        "State": "never",
        "LastRecord": 0,
        "Records": 0,
        "UnknownEvents": 0,
        **NO_HOOKS,
        "Hint": "set otel",
    }
    assert told == {
        "Version": "1.2.3",
        "InterfaceVersion": 1,
        "State": "failed",
        "Sessions": [f"{ROOT}/session/{token}" for token in ("codex_d", "claude_2dcode_b", "claude_2dcode_c")]
        + [f"{ROOT}/session/{token}" for token in ("claude_2dcode_a", "codex_e")],
        "SessionCount": 4,
        "WorkingCount": 1,
        "WaitingCount": 0,
        "CompletedCount": 1,
        "QuietCount": 1,
        "FailedCount": 1,
        "CurrentSession": f"{ROOT}/session/codex_d",
        "CostToday": 0.3,
        "CostMonth": 12.5,
        "CostTodayBasis": "reported",
        "TokensToday": 4200,
        "Budgets": [],
        "HistoryError": "",
        "ConfigError": "",
        "Inhibited": False,
    }


@pytest.mark.parametrize(
    ("states", "state", "current"),
    [
        ({}, "none", "/"),
        ({"old": (State.IDLE, 1), "new": (State.IDLE, 2)}, "idle", "new"),
        ({"old": (State.WORKING, 1), "new": (State.IDLE, 2)}, "working", "new"),
        ({"old": (State.QUIET, 1), "new": (State.WORKING, 2)}, "quiet", "old"),
        ({"old": (State.WAITING, 1), "new": (State.FAILED, 2)}, "waiting", "old"),
        ({"old": (State.COMPLETED, 1), "new": (State.COMPLETED, 2)}, "completed", "new"),
    ],
)
async def test_the_current_session_needs_its_user_or_was_active_last(
    service: Service, source: Standin, reader: Reader, states: dict[str, Any], state: str, current: str
) -> None:
    for session_id, (of_session, activity) in states.items():
        source.add(session_id, agent="codex", state=of_session, last_activity=activity)
    told = await reader.properties()
    assert told["State"].value == state
    assert told["CurrentSession"].value == (current if current == "/" else f"{ROOT}/session/codex_{current}")


async def test_sessions_are_listed_most_urgent_first_with_their_paths(
    service: Service, source: Standin, reader: Reader
) -> None:
    source.add("calm", cost=Decimal("0.125"), cost_basis=Basis.COMPUTED)
    source.add("one", state=State.WAITING, parent="calm")
    urgent, calm = await reader.result("ListSessions")
    assert urgent["Path"] == Variant("o", ONE)
    assert urgent["State"] == Variant("s", "waiting")
    assert urgent["Parent"] == Variant("o", f"{ROOT}/session/claude_2dcode_calm")
    assert "Cost" not in urgent
    assert calm["Cost"] == Variant("d", 0.125)
    assert calm["Parent"] == Variant("o", "/")
    properties = await reader.properties(ONE, SESSION)
    assert properties["Cost"] == Variant("d", 0.0)
    assert set(urgent) == {*properties, "Path"} - {"Cost"}
    assert await reader.result("GetSession", "one", takes="s") == urgent


async def test_whoever_reads_again_finds_what_differs_since(service: Service, source: Standin, reader: Reader) -> None:
    """The same as of each session by itself, though only what differs is made anew."""
    source.add("one", parent="two", cost=Decimal("0.125"))
    source.add("two", output_tokens=5)
    before = await reader.result("GetManagedObjects", interface=OBJECT_MANAGER)
    source.details("one", parent="", cost=None, last_activity=NOW + 7, title="")
    source.remove(session_id="two")
    source.add("three", reason="rate_limit")
    after = await reader.result("GetManagedObjects", interface=OBJECT_MANAGER)
    paths = [ONE, ONE.replace("one", "three")]
    assert after == {path: {SESSION: await reader.properties(path, SESSION)} for path in paths}
    assert before.keys() == {ONE, ONE.replace("one", "two")}
    told = unpack_variants(after[ONE][SESSION])
    assert (told["Parent"], told["Cost"], told["LastActivity"], told["Title"]) == ("/", 0.0, NOW + 7, "")


async def test_two_agents_may_use_the_same_id(service: Service, source: Standin, reader: Reader) -> None:
    source.add("same", agent="claude-code")
    source.add("same", agent="codex")
    first = await reader.result("GetSession", "same", takes="s")
    codex = await reader.result("GetSession", "codex:same", takes="s")
    assert first["Agent"].value == "claude-code"
    assert codex["Agent"].value == "codex"


async def test_a_user_acknowledges_what_was_seen(service: Service, source: Standin, reader: Reader) -> None:
    source.add("one")
    source.add("two", agent="codex")
    await reader.result("Acknowledge", "codex:two", takes="s")
    await reader.result("Acknowledge", path=ONE, interface=SESSION)
    assert source.acknowledged == [("codex", "two"), ("claude-code", "one")]
    await reader.result("AcknowledgeAll")
    assert source.acknowledged[2:] == [("claude-code", "one"), ("codex", "two")]


async def test_a_state_is_explained(service: Service, source: Standin, reader: Reader) -> None:
    source.add("one")
    source.reasons = [Reason(NOW, "waiting", "hook", "exact", "Notification"), Reason(0, "idle", "log", "inferred", "")]
    assert await reader.result("Explain", "one", takes="s") == [
        {
            "Time": Variant("t", NOW),
            "State": Variant("s", "waiting"),
            "Evidence": Variant("s", "hook"),
            "Confidence": Variant("s", "exact"),
            "Record": Variant("s", "Notification"),
        },
        {
            "Time": Variant("t", 0),
            "State": Variant("s", "idle"),
            "Evidence": Variant("s", "log"),
            "Confidence": Variant("s", "inferred"),
            "Record": Variant("s", ""),
        },
    ]


@pytest.mark.parametrize("member", ["GetSession", "Acknowledge", "Explain"])
async def test_a_session_that_is_not_there_is_said_so(service: Service, reader: Reader, member: str) -> None:
    assert await reader.error(member, "x\nx" * 9999, takes="s") == f"{NAME}.Error.NoSuchSession"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        ("UnknownMethod", {"member": "Nonsense"}),
        ("UnknownInterface", {"member": "Nonsense", "interface": None}),
        ("UnknownInterface", {"member": "ListSessions", "interface": "org.ai.Nonsense"}),
        ("UnknownInterface", {"member": "GetManagedObjects", "interface": OBJECT_MANAGER, "path": ONE}),
        ("UnknownInterface", {"member": "GetAll", "body": ["org.ai.Monitor"], "takes": "s", "path": "/org"}),
        ("UnknownObject", {"member": "ListSessions", "path": "/nowhere"}),
        ("UnknownObject", {"member": "Acknowledge", "path": f"{ROOT}/session/no", "interface": SESSION}),
        ("UnknownObject", {"member": "Introspect", "path": f"{ROOT}/sess", "interface": INTROSPECTABLE}),
        ("InvalidArgs", {"member": "GetSession"}),
        ("InvalidArgs", {"member": "GetSession", "body": [1], "takes": "u"}),
        ("InvalidArgs", {"member": "ListSessions", "body": ["more"], "takes": "s"}),
        ("InvalidArgs", {"member": "Usage", "body": ["today"], "takes": "s"}),
        ("UnknownProperty", {"member": "Get", "body": [NAME, "Nonsense"], "takes": "ss"}),
        ("UnknownProperty", {"member": "Get", "body": [PROPERTIES, "Version"], "takes": "ss"}),
        ("UnknownInterface", {"member": "Get", "body": [SESSION, "State"], "takes": "ss"}),
        ("UnknownInterface", {"member": "GetAll", "body": ["nonsense"], "takes": "s"}),
        ("PropertyReadOnly", {"member": "Set", "body": [NAME, "State", Variant("s", "idle")], "takes": "ssv"}),
        ("UnknownProperty", {"member": "Set", "body": [NAME, "Nonsense", Variant("s", "")], "takes": "ssv"}),
    ],
)
async def test_nonsense_gets_the_standard_errors(
    service: Service, source: Standin, reader: Reader, error: str, asked: dict[str, Any]
) -> None:
    source.add("one")
    member, body = asked.pop("member"), asked.pop("body", [])
    if member in ("Get", "GetAll", "Set"):
        asked["interface"] = PROPERTIES
    assert await reader.error(member, *body, **asked) == f"{DBUS_ERROR}.{error}"


async def test_a_hook_is_handed_on_as_plain_values(service: Service, source: Standin, reader: Reader) -> None:
    context = {"pid": Variant("u", 7), "tty": Variant("s", "/dev/pts/1")}
    assert await reader.result("Hook", "codex", "{}", context, takes="ssa{sv}") is None
    assert source.hooks == [("codex", "{}", {"pid": 7, "tty": "/dev/pts/1"})]


async def test_a_hook_that_cannot_be_read_is_refused(service: Service, source: Standin, reader: Reader) -> None:
    assert await reader.error("Hook", "codex", "nonsense", {}, takes="ssa{sv}") == f"{NAME}.Error.InvalidArgument"


async def test_focus_answers_whether_it_could(service: Service, source: Standin, reader: Reader) -> None:
    source.add("one")
    source.add("two", agent="codex")
    assert await reader.result("Focus", "one", takes="s") is True
    assert await reader.result("Focus", "codex:two", takes="s") is False
    assert await reader.result("FocusNext") is True
    assert await reader.result("Focus", path=ONE, interface=SESSION) is True
    assert source.focused == ["claude-code:one", "codex:two", "claude-code:one", "claude-code:one"]
    assert await reader.error("Focus", "none", takes="s") == f"{NAME}.Error.NoSuchSession"


async def test_an_answer_that_takes_a_while_keeps_nobody_waiting(
    service: Service, source: Standin, reader: Reader
) -> None:
    source.add("one")
    source.on_the_way = asyncio.get_running_loop().create_future()
    focusing = asyncio.ensure_future(reader.result("Focus", "one", takes="s"))
    assert len(await reader.result("ListSessions")) == 1
    assert not focusing.done()
    source.on_the_way.set_result(True)
    assert await focusing is True


async def test_an_answer_that_fails_later_is_an_error_of_the_contract(
    service: Service, source: Standin, reader: Reader
) -> None:
    source.add("one")
    source.on_the_way = asyncio.get_running_loop().create_future()
    source.on_the_way.set_exception(OSError("no"))
    assert await reader.error("FocusNext") == f"{NAME}.Error.Failed"


async def test_usage_leaves_out_what_is_not_known(service: Service, source: Standin, reader: Reader) -> None:
    priced = Spent(2, Usage(input=10, cache_read=5, output=3), Decimal("0.5"), 1, 1, table=Decimal("0.6"), tabled=2)
    source.rows = [UsageRow(key="codex", spent=priced), UsageRow(key="gemini-cli", spent=Spent(1, Usage(output=1)))]
    known, unknown = await reader.result("Usage", "today", "agent", takes="ss")
    assert known["Group"] == Variant("s", "codex")
    assert known["Calls"] == Variant("u", 2)
    assert known["CacheReadTokens"] == Variant("t", 5)
    assert (known["Cost"], known["CostBasis"]) == (Variant("d", 0.5), Variant("s", "mixed"))
    assert known["ComputedCost"] == Variant("d", 0.6)
    assert unknown["CostBasis"] == Variant("s", "unknown")
    assert unknown["UnpricedCalls"] == Variant("u", 1)
    assert not {"Cost", "ComputedCost", "Agent", "Project"} & set(unknown)
    assert await reader.error("Usage", "today", "colour", takes="ss") == f"{NAME}.Error.InvalidArgument"


async def test_the_interface_may_be_left_out(service: Service, source: Standin, reader: Reader) -> None:
    source.add("one")
    assert len(await reader.result("ListSessions", interface=None)) == 1
    assert (await reader.result("Get", "", "State", takes="ss", interface=PROPERTIES)).value == "idle"
    assert (await reader.result("Get", "", "Id", takes="ss", path=ONE, interface=PROPERTIES)).value == "one"
    assert await reader.properties(ONE, INTROSPECTABLE) == {}


async def test_a_fault_of_the_source_is_an_error_without_a_traceback(
    service: Service, source: Standin, reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "totals", lambda: 1 / 0)
    reply = await reader.call("GetAll", NAME, takes="s", interface=PROPERTIES)
    assert reply.error_name == f"{NAME}.Error.Failed"
    assert reply.body == ["ZeroDivisionError; the log of aimond knows more"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_call_that_wants_no_answer_gets_none(
    bus: PrivateBus, service: Service, source: Standin, reader: Reader
) -> None:
    source.add("one")
    replies: list[Message] = []
    reader.bus.add_message_handler(replies.append)
    for member in ("AcknowledgeAll", "Nonsense"):
        reader.bus.send(Message(NAME, ROOT, NAME, member, flags=MessageFlag.NO_REPLY_EXPECTED))
    await reader.heard()
    assert source.acknowledged == [("claude-code", "one")]
    assert len(replies) == 1  # to the Ping of heard()


async def test_strangers_words_cannot_break_a_message(service: Service, source: Standin, reader: Reader) -> None:
    hostile = "a\0b\x1b[31m\ud800é" + "漢" * 5000
    fields = dict.fromkeys(("title", "reason", "model", "project", "directory", "host", "last_error"), hostile)
    service.publish(
        [
            *source.add(hostile, agent=hostile, pid=-1, turns=2**40, input_tokens=2**70, output_tokens=-5, **fields),
            *source.state(State.WAITING, hostile, hostile, reason=hostile, parent=hostile),
            *source.attention(hostile, hostile, hostile),
        ]
    )
    heard = await reader.heard()
    added = next(signal for signal in heard if signal.member == "InterfacesAdded")
    told = unpack_variants(added.body[1][SESSION])
    assert told["LastError"].startswith("a b [31m é漢")
    assert 4090 < len(told["LastError"].encode()) <= 4096
    assert (told["Pid"], told["Turns"], told["InputTokens"], told["OutputTokens"]) == (0, 2**32 - 1, 2**64 - 1, 0)
    path = heard[0].body[0]
    assert len(path) == len(f"{ROOT}/session/") + 64 + 1 + 64
    assert (await reader.properties(path, SESSION))["Id"].value == told["Id"]
    assert len(await reader.result("ListSessions")) == 1
    assert [signal.member for signal in heard].count("AttentionNeeded") == 1


async def test_huge_and_malformed_calls_leave_the_service_alive(
    bus: PrivateBus, service: Service, source: Standin, reader: Reader
) -> None:
    source.add("one")
    keeping = asyncio.create_task(service.run())
    dice = random.Random(7)
    nested: Variant = Variant("s", "deep")
    for _ in range(60):
        nested = Variant("v", nested)
    async with reading(bus.address) as hostile:
        assert await hostile.error("GetSession", "x" * 40_000_000, takes="s") == f"{NAME}.Error.NoSuchSession"
        assert await hostile.error("Hook", "a", "b", {"k": nested}, takes="ssa{sv}") == f"{NAME}.Error.InvalidArgument"
        for _ in range(200):
            noise = "".join(dice.choices("abcxyz_", k=dice.randint(1, 60)))
            path, interface = f"/{noise}", f"{noise}.{noise}"
            error = await hostile.error(noise, [Variant("s", noise)], takes="av", path=path, interface=interface)
            assert error == f"{DBUS_ERROR}.UnknownObject"
        hostile.bus.send(Message.new_signal(ROOT, NAME, "ListSessions"))
    assert len(await reader.result("ListSessions")) == 1
    keeping.cancel()


async def test_a_caller_finds_what_was_accepted_before(service: Service, source: Standin, reader: Reader) -> None:
    before = source.caught_up
    await reader.call("ListSessions")
    assert source.caught_up == before + 1
