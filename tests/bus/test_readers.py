"""Clients that are not ours see a session come, change and go: dbus-next, GNOME's Gio, systemd's busctl."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dbus_next
import dbus_next.aio
import pytest

from aimond.bus.service import Service
from aimond.core.snapshot import State
from tests.bus.reader import NAME, OBJECT_MANAGER, ONE, PROPERTIES, ROOT, SESSION
from tests.bus.standin import Standin
from tests.busdaemon import PrivateBus


def need(available: bool, package: str) -> None:
    """Without the package: a failure where everything must be tested, else a skip that names it."""
    if not available:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"install {package}")


def has_gio() -> bool:
    check = ["/usr/bin/python3", "-c", "import gi; gi.require_version('Gio', '2.0'); from gi.repository import Gio"]
    return Path(check[0]).exists() and subprocess.run(check, capture_output=True).returncode == 0


@asynccontextmanager
async def running(bus: PrivateBus, *command: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=bus.environment)
    try:
        async with asyncio.timeout(10):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process) -> Any:
    assert process.stdout
    line = await process.stdout.readline()
    assert line, "the client died"
    return json.loads(line)


async def test_dbus_next_sees_a_session_come_change_and_go(bus: PrivateBus, service: Service, source: Standin) -> None:
    client = await dbus_next.aio.MessageBus(bus.address).connect()
    root = client.get_proxy_object(NAME, ROOT, await client.introspect(NAME, ROOT))
    told: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    manager, monitor = root.get_interface(OBJECT_MANAGER), root.get_interface(NAME)
    manager.on_interfaces_added(lambda path, interfaces: told.put_nowait(("added", path, list(interfaces))))
    manager.on_interfaces_removed(lambda path, interfaces: told.put_nowait(("removed", path, interfaces)))
    monitor.on_session_state_changed(
        lambda path, name, old, new, reason: told.put_nowait(("state", path, name, old, new, reason))
    )
    assert await monitor.get_state() == "none"
    async with asyncio.timeout(10):
        service.publish(source.add())
        assert await told.get() == ("added", ONE, [SESSION])
        session = client.get_proxy_object(NAME, ONE, await client.introspect(NAME, ONE))
        session.get_interface(PROPERTIES).on_properties_changed(
            lambda name, values, _: told.put_nowait(("changed", name, sorted(values)))
        )
        assert await session.get_interface(SESSION).get_state() == "idle"
        service.publish(source.state(State.WAITING, reason="permission:Bash"))
        assert await told.get() == ("changed", SESSION, ["Reason", "State"])
        assert await told.get() == ("state", ONE, "one", "idle", "waiting", "permission:Bash")
        assert await monitor.get_state() == "waiting"
        assert (await monitor.call_get_session("one"))["Reason"].value == "permission:Bash"
        with pytest.raises(dbus_next.DBusError) as refused:
            await monitor.call_usage("today", "colour")
        assert refused.value.type == f"{NAME}.Error.InvalidArgument"
        service.publish(source.remove())
        assert await told.get() == ("removed", ONE, [SESSION])
    client.disconnect()
    await client.wait_for_disconnect()


async def test_gio_sees_a_session_come_change_and_go(bus: PrivateBus, service: Service, source: Standin) -> None:
    need(has_gio(), "python3-gi and gir1.2-glib-2.0")
    service.publish(source.add("before"))
    script = Path(__file__).with_name("gio_client.py")
    async with running(bus, "/usr/bin/python3", str(script)) as gio:
        assert await said(gio) == ["ready", [f"{ROOT}/session/claude_2dcode_before"]]
        assert await said(gio) == ["state", "idle"]
        service.publish(source.add())
        assert await said(gio) == ["added", ONE, "idle"]
        assert await said(gio) == ["monitor", {"SessionCount": 2}, ["Sessions"]]
        service.publish(source.state(State.WORKING, turns=1))
        assert await said(gio) == ["changed", ONE, "working", ["State", "Turns"]]
        assert await said(gio) == [
            "monitor",
            {"State": "working", "WorkingCount": 1, "CurrentSession": ONE},
            ["Sessions"],
        ]
        service.publish(source.remove())
        assert await said(gio) == ["removed", ONE]


async def busctl(bus: PrivateBus, *arguments: str) -> str:
    command = ["busctl", "--user", "--auto-start=no", *arguments]
    async with running(bus, *command) as process:
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()


async def test_busctl_sees_a_session_come_change_and_go(bus: PrivateBus, service: Service, source: Standin) -> None:
    need(shutil.which("busctl") is not None, "systemd")
    service.publish(source.add())
    assert ONE in await busctl(bus, "tree", "--list", NAME)
    rows = {row.split()[0]: row.split()[1:] for row in (await busctl(bus, "introspect", NAME, ONE)).splitlines()}
    assert rows[".State"] == ["property", "s", '"idle"', "emits-change"]
    assert rows[".LastActivity"][-1] == "-"
    assert rows[".Id"][-1] == "const"
    assert rows[".Acknowledge"][:3] == ["method", "-", "-"]
    rows = {row.split()[0]: row.split()[1:] for row in (await busctl(bus, "introspect", NAME, ROOT)).splitlines()}
    assert rows[".Sessions"][-1] == "emits-invalidation"
    assert rows[".SessionStateChanged"][:2] == ["signal", "ossss"]
    assert await busctl(bus, "get-property", NAME, ROOT, NAME, "SessionCount") == "u 1\n"

    (listed,) = json.loads(await busctl(bus, "--json=short", "call", NAME, ROOT, NAME, "ListSessions"))["data"][0]
    assert listed["State"] == {"type": "s", "data": "idle"}
    async with running(bus, "busctl", "--user", "--json=short", "monitor", NAME) as monitor:
        assert monitor.stderr
        assert await monitor.stderr.readline() == b"Monitoring bus message stream.\n"
        service.publish(source.state(State.WORKING))
        service.publish(source.remove("ended"))
        heard = [await said(monitor) for _ in range(6)]
    assert [(one["path"], one["member"]) for one in heard] == [
        (ONE, "PropertiesChanged"),
        (ROOT, "SessionStateChanged"),
        (ROOT, "PropertiesChanged"),
        (ROOT, "SessionRemoved"),
        (ROOT, "InterfacesRemoved"),
        (ROOT, "PropertiesChanged"),
    ]
    assert heard[3]["payload"]["data"] == [ONE, "one", "ended"]
    assert ONE not in await busctl(bus, "tree", "--list", NAME)
