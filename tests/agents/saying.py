"""Records made by hand, and events in a few words."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict, fields

from aimond.agents import find
from aimond.agents.payload import Payload
from aimond.core import event as ev
from aimond.core.usage import Usage
from aimond.otlp.record import Attributes, Record

NOW = 1_790_000_000_000_000
MS = 1000
AGENTS = {agent.name: agent for agent in find().values()}
SESSION = "01a2025a-64e7-7bb1-a81e-4f4f89ff487a"
COMMON = {*ev.Event.__struct_fields__}


def attributes(values: dict[str, Any]) -> Attributes:
    return Attributes(values, lambda value: value)


def log(name: str, said: dict[str, Any], resource: dict[str, Any] | None = None, **more: Any) -> Record:
    """A log record; ``scope`` and ``trace`` where they matter."""
    scope = more.pop("scope", "scope")
    return Record("logs", scope, name, NOW, attributes(said), attributes(resource or {}), start=NOW, **more)


def span(name: str, said: dict[str, Any], resource: dict[str, Any] | None = None, **more: Any) -> Record:
    """A span that took 500 ms."""
    more = {"start": NOW - 500 * MS, "trace": "7" * 32, "span": "5" * 16, **more}
    return Record("traces", "scope", name, NOW, attributes(said), attributes(resource or {}), **more)


def events(agent: str, record: Record, pid: int = 0) -> list[ev.Event]:
    return list(AGENTS[agent].events(record, pid))


def hook(agent: str, event: str, payload: Any) -> list[ev.Event]:
    return list(AGENTS[agent].hook_events(Payload(event, "hook", payload, NOW)))


def words(event: ev.Event) -> str:
    """``ToolStarted call=c name=Bash``: what it says beyond the common fields, times from its own."""
    said = [type(event).__name__]
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name in COMMON or value == (None if field.required else field.default):
            continue
        if field.name == "started":
            value = f"{(value - event.at) // MS}ms"
        if isinstance(value, Usage):
            value = ",".join(f"{name}:{n}" for name, n in asdict(value).items() if n)
        said.append(f"{field.name}={value}")
    return " ".join(said)


def told(agent: str, record: Record, pid: int = 0) -> list[str]:
    return [words(event) for event in events(agent, record, pid)]
