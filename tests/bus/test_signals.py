"""What readers are told, in which order, and what they are not told."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

from dbus_fast import Message
from dbus_fast.unpack import unpack_variants

from aimond.bus.service import Service
from aimond.core.change import ErrorSeen, Health, Totals
from aimond.core.snapshot import Basis, State
from tests.bus.reader import ONE, ROOT, SESSION, Reader, reading
from tests.bus.standin import NO_HOOKS, NOW, Standin
from tests.busdaemon import PrivateBus


def names(signals: list[Message]) -> list[tuple[str | None, str | None]]:
    return [(signal.path, signal.member) for signal in signals]


def changes(signals: list[Message], path: str) -> list[dict[str, Any]]:
    told = [signal for signal in signals if (signal.path, signal.member) == (path, "PropertiesChanged")]
    return [unpack_variants(signal.body[1]) for signal in told]


async def test_a_new_session_comes_with_its_properties_before_its_state_changes(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish([*source.add(), *source.state(State.WORKING, state_since=NOW, evidence="hook", confidence="exact")])
    heard = await reader.heard()
    assert names(heard) == [
        (ROOT, "InterfacesAdded"),
        (ROOT, "SessionAdded"),
        (ONE, "PropertiesChanged"),
        (ROOT, "SessionStateChanged"),
        (ROOT, "PropertiesChanged"),
    ]
    assert heard[0].body[0] == ONE
    assert set(heard[0].body[1]) == {SESSION}
    assert heard[0].body[1][SESSION]["State"].value == "idle"
    assert heard[1].body == [ONE, "one", "claude-code"]
    assert heard[3].body == [ONE, "one", "idle", "working", ""]
    assert changes(heard, ROOT) == [{"State": "working", "SessionCount": 1, "WorkingCount": 1, "CurrentSession": ONE}]
    assert heard[4].body[2] == ["Sessions"]


async def test_what_was_there_before_the_service_is_known_to_readers(bus: PrivateBus, source: Standin) -> None:
    source.add(state=State.WORKING)
    service = Service(source, bus.address)
    await service.start()
    async with reading(bus.address) as reader:
        service.publish(source.state(State.IDLE, turns=1))
        heard = await reader.heard()
        assert changes(heard, ONE) == [{"State": "idle", "Turns": 1}]
        assert changes(heard, ROOT) == [{"State": "idle", "WorkingCount": 0}]
    await service.close()


async def test_a_state_is_told_at_once_with_what_differs_and_nothing_else(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish(source.add(state=State.WORKING))
    await reader.heard()
    service.publish(source.state(State.WAITING, reason="permission:Bash", turns=2, last_activity=NOW + 1))
    heard = await reader.heard()
    assert changes(heard, ONE) == [{"State": "waiting", "Reason": "permission:Bash", "Turns": 2}]
    assert changes(heard, ROOT) == [{"State": "waiting", "WorkingCount": 0, "WaitingCount": 1}]
    assert not any("Sessions" in signal.body[2] for signal in heard if signal.member == "PropertiesChanged")


async def test_counters_come_at_most_four_times_a_second_and_end_with_the_last_value(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish([*source.add("one"), *source.add("two")])
    await reader.heard()
    begin, tokens = time.monotonic(), 0
    while time.monotonic() - begin < 1.1:
        tokens += 1
        service.publish([*source.details("one", output_tokens=tokens), *source.details("two", output_tokens=tokens)])
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.3)
    took = time.monotonic() - begin
    heard = await reader.heard()
    for path in (ONE, ONE.replace("one", "two")):
        told = [change["OutputTokens"] for change in changes(heard, path)]
        assert 2 <= len(told) <= took / 0.25
        assert told == sorted(told)
        assert told[-1] == tokens


async def test_nothing_is_scheduled_while_nothing_changes(service: Service, source: Standin, reader: Reader) -> None:
    service.publish([*source.add(), *source.state(State.WORKING), *source.details(output_tokens=5)])
    await asyncio.sleep(0.3)
    assert changes(await reader.heard(), ONE)[-1] == {"OutputTokens": 5}
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert [timer for timer in scheduled if not timer.cancelled()] == []


async def test_activity_alone_is_not_told(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add())
    await reader.heard()
    service.publish(source.details(last_activity=NOW + 5))
    await asyncio.sleep(0.3)
    assert await reader.heard() == []
    assert (await reader.properties(ONE, SESSION))["LastActivity"].value == NOW + 5


async def test_the_last_counters_of_a_session_come_before_its_end(
    service: Service, source: Standin, reader: Reader
) -> None:
    service.publish(source.add(output_tokens=1))
    await reader.heard()
    service.publish(source.details(output_tokens=7))
    service.publish(source.remove("replaced"))
    heard = await reader.heard()
    assert names(heard) == [
        (ONE, "PropertiesChanged"),
        (ROOT, "SessionRemoved"),
        (ROOT, "InterfacesRemoved"),
        (ROOT, "PropertiesChanged"),
    ]
    assert changes(heard, ONE) == [{"OutputTokens": 7}]
    assert heard[1].body == [ONE, "one", "replaced"]
    assert heard[2].body == [ONE, [SESSION]]
    assert changes(heard, ROOT) == [{"State": "none", "SessionCount": 0, "CurrentSession": "/"}]
    await asyncio.sleep(0.3)
    assert await reader.heard() == []


async def test_a_completed_turn_is_summed_up(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add(state=State.WORKING))
    service.publish([*source.state(State.COMPLETED), *source.completed(), *source.completed(turn=2, cost=None)])
    first, second = [signal.body for signal in await reader.heard() if signal.member == "SessionCompleted"]
    assert first[:2] == [ONE, "one"]
    assert unpack_variants(first[2]) == {
        "Turn": 1,
        "Duration": 3_000_000,
        "InputTokens": 900,
        "OutputTokens": 80,
        "Cost": 0.25,
        "CostBasis": "reported",
        "Evidence": "hook",
        "Confidence": "exact",
    }
    assert "".join(value.signature for value in first[2].values()) == "utttdsss"
    assert second[2]["Turn"].value == 2
    assert "Cost" not in second[2]


async def test_attention_is_told_with_its_reason(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add())
    service.publish(source.attention("rate_limit"))
    assert [signal.body for signal in await reader.heard() if signal.member == "AttentionNeeded"] == [
        [ONE, "one", "rate_limit"]
    ]


async def test_an_error_shows_in_the_counters_only(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add())
    await reader.heard()
    (change,) = source.details(errors=1, last_error_class="server")
    service.publish([ErrorSeen(change.session, "server")])
    await asyncio.sleep(0.3)
    heard = await reader.heard()
    assert names(heard) == [(ONE, "PropertiesChanged")]
    assert changes(heard, ONE) == [{"Errors": 1, "LastErrorClass": "server"}]


async def test_totals_are_told_when_they_differ(service: Service, source: Standin, reader: Reader) -> None:
    service.publish([])
    await asyncio.sleep(0.3)
    assert await reader.heard() == []
    source.used = Totals(Decimal("0.35"), Basis.MIXED, None, 4200)
    service.publish([])
    service.publish([])
    await asyncio.sleep(0.3)
    assert changes(await reader.heard(), ROOT) == [{"CostToday": 0.35, "CostTodayBasis": "mixed", "CostMonth": 0.0}]


async def test_health_is_told_when_a_state_changes_not_with_every_record(
    service: Service, source: Standin, reader: Reader
) -> None:
    source.telemetry = {**source.telemetry, "claude-code": Health("ok", NOW + 9, 11, 1, "")}
    service.publish([])
    await asyncio.sleep(0.3)
    assert await reader.heard() == []
    source.telemetry = {**source.telemetry, "codex": Health("ok", NOW, 1, 0, "")}
    service.publish([])
    await asyncio.sleep(0.3)
    (told,) = changes(await reader.heard(), ROOT)
    assert told == {
        "TelemetryHealth": {
            "claude-code": {
                "State": "ok",
                "LastRecord": NOW + 9,
                "Records": 11,
                "UnknownEvents": 1,
                **NO_HOOKS,
                "Hint": "",
            },
            "codex": {"State": "ok", "LastRecord": NOW, "Records": 1, "UnknownEvents": 0, **NO_HOOKS, "Hint": ""},
        }
    }


async def test_a_closing_service_says_what_is_still_due(service: Service, source: Standin, reader: Reader) -> None:
    service.publish(source.add())
    await reader.heard()
    service.publish(source.details(output_tokens=9))
    await service.close()
    await asyncio.sleep(0.05)
    assert changes(reader._heard, ONE) == [{"OutputTokens": 9}]
