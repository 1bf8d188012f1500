"""The client that every command uses."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from dbus_fast import Message

from aimond.bus.client import CallFailed, Monitor, NotRunning, Signal
from aimond.bus.service import Service
from aimond.core.change import Reason
from aimond.core.snapshot import State
from tests.bus.reader import NAME, ONE, ROOT, SESSION, eventually, reading
from tests.bus.standin import NOW, Standin
from tests.busdaemon import PrivateBus


async def test_a_command_reads_and_acts(bus: PrivateBus, service: Service, source: Standin) -> None:
    source.add("one", state=State.WAITING, pid=42)
    source.reasons = [Reason(NOW, "waiting", "hook", "exact", "Notification")]
    async with await Monitor.connect(bus.address) as monitor:
        (session,) = await monitor.sessions()
        assert (session["Id"], session["State"], session["Pid"], session["Path"]) == ("one", "waiting", 42, ONE)
        properties = await monitor.properties()
        assert (properties["State"], properties["WaitingCount"], properties["CostToday"]) == ("waiting", 1, 0.3)
        assert properties["TelemetryHealth"]["codex"]["State"] == "never"
        (reason,) = await monitor.explain("one")
        assert reason == {
            "Time": NOW,
            "State": "waiting",
            "Evidence": "hook",
            "Confidence": "exact",
            "Record": "Notification",
        }
        await monitor.acknowledge("one")
        await monitor.acknowledge_all()
    assert source.acknowledged == [("claude-code", "one"), ("claude-code", "one")]


async def test_a_refusal_tells_the_error(bus: PrivateBus, service: Service) -> None:
    async with await Monitor.connect(bus.address) as monitor:
        with pytest.raises(CallFailed, match="no session 'none'") as refused:
            await monitor.explain("none")
        assert refused.value.name == f"{NAME}.Error.NoSuchSession"
        with pytest.raises(CallFailed, match="no such group") as refused:
            await monitor.call("Usage", "today", "colour")
        assert refused.value.name == f"{NAME}.Error.InvalidArgument"


async def test_signals_come_as_plain_values(bus: PrivateBus, service: Service, source: Standin) -> None:
    async with await Monitor.connect(bus.address) as monitor:
        await monitor.subscribe()
        service.publish([*source.add(), *source.state(State.COMPLETED), *source.completed(cost=None)])
        service.publish([*source.attention("quiet"), *source.remove("ended")])
        heard: list[Signal] = []
        async with asyncio.timeout(10):
            async for signal in monitor.changes():
                heard.append(signal)
                if signal.name == "SessionRemoved":
                    break
    by_name = {signal.name: signal for signal in heard if signal.path == ROOT}
    assert by_name["InterfacesAdded"].values["interfaces"][SESSION]["Id"] == "one"
    assert by_name["SessionAdded"].values == {"session": ONE, "id": "one", "agent": "claude-code"}
    assert by_name["SessionStateChanged"].values == {
        "session": ONE,
        "id": "one",
        "old": "idle",
        "new": "completed",
        "reason": "",
    }
    assert by_name["SessionCompleted"].values["summary"]["Duration"] == 3_000_000
    assert by_name["AttentionNeeded"].values == {"session": ONE, "id": "one", "reason": "quiet"}
    assert by_name["SessionRemoved"].values == {"session": ONE, "id": "one", "reason": "ended"}
    (changed,) = [signal for signal in heard if signal.path == ONE]
    assert changed == Signal(
        "PropertiesChanged",
        ONE,
        {
            "interface_name": SESSION,
            "changed_properties": {"State": "completed"},
            "invalidated_properties": [],
        },
    )


async def test_a_watcher_is_told_that_the_service_comes_and_goes(bus: PrivateBus, source: Standin) -> None:
    async with await Monitor.connect(bus.address) as monitor, asyncio.timeout(10):
        await monitor.subscribe()
        service = Service(source, bus.address)
        await service.start()
        changes = monitor.changes()
        came = await anext(changes)
        assert (came.name, came.values["name"], bool(came.values["new_owner"])) == ("NameOwnerChanged", NAME, True)
        await service.close()
        gone = await anext(changes)
        assert (gone.name, gone.values["new_owner"]) == ("NameOwnerChanged", "")


async def test_a_watcher_is_told_that_the_bus_died(bus: PrivateBus, service: Service) -> None:
    async with await Monitor.connect(bus.address) as monitor, asyncio.timeout(10):
        await monitor.subscribe()
        bus.stop()
        with pytest.raises(NotRunning, match="the session bus is gone"):
            await anext(monitor.changes())
        with pytest.raises(NotRunning):
            await monitor.sessions()


async def test_without_a_service_it_says_what_to_do_and_starts_nothing(bus: PrivateBus) -> None:
    started = bus.directory / "started"
    activation = f"[D-BUS Service]\nName={NAME}\nExec=/usr/bin/touch {started}\n"
    (bus.services / f"{NAME}.service").write_text(activation)
    async with await Monitor.connect(bus.address) as monitor:
        for ask in (monitor.sessions, monitor.properties, monitor.acknowledge_all):
            with pytest.raises(NotRunning, match=r"systemctl --user start aimond.*aimond run"):
                await ask()
    await asyncio.sleep(0.1)
    assert not started.exists()
    async with reading(bus.address) as careless:
        careless.bus.send(Message(NAME, ROOT, NAME, "ListSessions"))
        await eventually(started.exists)


async def test_without_a_bus_it_says_so() -> None:
    for address in ("unix:path=/nonexistent/bus", "nonsense"):
        with pytest.raises(NotRunning, match="there is no session bus"):
            await Monitor.connect(address)


async def test_a_service_that_hangs_is_not_waited_for_for_ever(
    bus: PrivateBus, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Monitor.connect(bus.address) as monitor:
        monkeypatch.setattr("aimond.bus.client.TIMEOUT", 0.05)
        bus.stall()
        with pytest.raises(CallFailed, match="no answer") as hung:
            await monitor.sessions()
        bus.resume()
    assert hung.value.name == "org.freedesktop.DBus.Error.Timeout"


def test_the_client_brings_no_server_along() -> None:
    ask = "import sys, aimond.bus.client; print(*(name for name in sys.modules if name.startswith('aimond.')))"
    loaded = set(subprocess.check_output([sys.executable, "-c", ask], text=True).split())
    parts = ("", ".client", ".connection", ".contract", ".outbox", ".standard")
    assert loaded == {"aimond.dial", *(f"aimond.bus{part}" for part in parts)}
