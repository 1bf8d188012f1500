"""From what a CLI sent to what became different: batch, records, events, changes. The daemon and the replay share
it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aimond.agents import Registry
from aimond.agents.agent import Agent
from aimond.agents.payload import Payload
from aimond.core.change import Change, Health
from aimond.core.event import Event, ProcessExited, ProcessStarted
from aimond.core.evidence import Source
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Record

DECODERS: Final = {"protobuf": protobuf.records, "json": jsonform.records}
# A record from a time that has not come yet would outrank everything that follows.
FUTURE: Final = 3600 * SECOND


@dataclass(slots=True)
class Heard:
    """What has come from one agent so far."""

    records: int = 0
    unknown: int = 0
    last: int = 0


class Spine:
    """Understands batches, one after the other. ``expire``: see the tracker."""

    def __init__(self, expire: int = 3600 * SECOND, visible: int = 256) -> None:
        self.registry: Final = Registry()
        patience = {agent.name: agent.patience for agent in self.registry.agents}
        self.tracker: Final = Tracker(patience, expire, visible)
        self.heard: dict[str, Heard] = {agent.name: Heard() for agent in self.registry.agents if agent.scopes}

    def take(self, batch: Batch) -> list[Change]:
        """What one export request changed."""
        return self.tracker.apply(self._events(batch), batch.seen)

    def take_hook(self, agent: str, event: str, via: str, fields: Mapping[str, Any], seen: int) -> list[Change]:
        """What one hook changed."""
        found = self.registry.by_name(agent)
        events = found.hook_events(Payload(event, via, fields, seen)) if found else ()
        return self.tracker.apply(events, seen)

    def take_process(self, pid: int, exited: bool, directory: str, seen: int) -> list[Change]:
        """What a process changed by coming or going."""
        common: dict[str, Any] = {"agent": "", "session": "", "at": seen, "source": Source.PROCESS, "pid": pid}
        event: Event = ProcessExited(**common) if exited else ProcessStarted(**common, directory=directory)
        return self.tracker.apply([event], seen)

    def _events(self, batch: Batch) -> Iterator[Event]:
        for record in DECODERS[batch.encoding](batch, self.registry.spans_wanted, self.registry.logs_ignored):
            agent = self.registry.of(record)
            self._count(agent, record, batch.seen)
            at = record.at if 0 < record.at < batch.seen + FUTURE else batch.seen
            if at != record.at or not 0 < record.start <= at:
                record = replace(record, at=at, start=record.start if 0 < record.start < at else at)
            pid = batch.peer.pid if batch.peer.comm in agent.executables else 0
            yield from agent.events(record, pid)

    def _count(self, agent: Agent, record: Record, seen: int) -> None:
        heard = self.heard.get(agent.name)
        if heard is None:
            return
        heard.records += 1
        heard.last = seen
        if record.signal == "logs" and record.name not in agent.read and "event.name" in record.attributes:
            heard.unknown += 1

    def health(self) -> dict[str, Health]:
        """Per agent, whether its telemetry arrives."""
        return {name: _health(name, heard) for name, heard in self.heard.items()}


def _health(name: str, heard: Heard) -> Health:
    state, hint = ("ok", "") if heard.records else ("never", "nothing has been received from it yet")
    return Health(state, heard.last, heard.records, heard.unknown, hint)
