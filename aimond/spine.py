"""From what a CLI sent to what became different: batch, records, events, changes. The daemon and the replay share
it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from aimond.agents import Registry
from aimond.agents.agent import Agent
from aimond.agents.payload import Payload
from aimond.core.change import Change, Health
from aimond.core.event import Event, ProcessExited, ProcessStarted, PromptSubmitted
from aimond.core.evidence import Source
from aimond.core.hearing import Heard
from aimond.core.journal import Journal
from aimond.core.price import UNPRICED, Pricing
from aimond.core.review import last_name
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Peer, Record

DECODERS: Final = {"protobuf": protobuf.records, "json": jsonform.records}
# A record from a time that has not come yet would outrank everything that follows.
FUTURE: Final = 3600 * SECOND


def anybody(pid: int, agent: Agent) -> bool:
    """Whoever a record names is believed, as recordings are."""
    return True


def as_recorded(peer: Peer) -> None:
    """Recordings know who sent."""


class Spine:
    """Understands batches, one after the other. ``expire``, ``project_of``, ``pricing``: see the tracker. ``vouch``:
    whether that process, which a record claims to come from, may be that agent's. ``meet``: finds out who a peer is."""

    def __init__(
        self,
        expire: int = 3600 * SECOND,
        visible: int = 256,
        project_of: Callable[[str], str] = last_name,
        vouch: Callable[[int, Agent], bool] = anybody,
        meet: Callable[[Peer], None] = as_recorded,
        journal: Journal | None = None,
        pricing: Pricing = UNPRICED,
    ) -> None:
        self.registry: Final = Registry()
        patience = {agent.name: agent.patience for agent in self.registry.agents}
        self.tracker: Final = Tracker(patience, expire, visible, project_of, journal, pricing)
        self._vouch, self._meet = vouch, meet
        self._set_back = 0
        self.heard: dict[str, Heard] = {agent.name: Heard() for agent in self.registry.agents if agent.scopes}

    def take(self, batch: Batch) -> list[Change]:
        """What one export request changed."""
        self.hear(batch)
        return self.changes(batch.seen)

    def hear(self, batch: Batch) -> None:
        """Take one export request in; what it changed is asked for afterwards, perhaps of several at once."""
        self.tracker.hear(self._events(batch), batch.seen)

    def changes(self, now: int) -> list[Change]:
        """What all that was heard since the last time has changed."""
        return self.tracker.reviews.changes(now)

    def take_hook(
        self, agent: str, event: str, via: str, fields: Mapping[str, Any], seen: int, *, at: int = 0, pid: int = 0
    ) -> list[Change]:
        """What one hook changed. ``at``: when it was called, if that is known better than by its arrival."""
        found = self.registry.by_name(agent)
        if found is None:
            return []
        events = list(found.hook_events(Payload(event, via, fields, at or seen, pid)))
        heard = self.heard.get(found.name)
        if heard and events:
            heard.hook(seen)
        if heard and any(isinstance(event, PromptSubmitted) for event in events):
            heard.prompted(seen, pid)
        return self.tracker.apply(events, seen)

    def process_started(self, pid: int, seen: int, directory: str = "", terminal: str = "") -> list[Change]:
        """What a process changed by being there."""
        return self.tracker.apply([ProcessStarted(**_of(pid, seen), directory=directory, terminal=terminal)], seen)

    def process_exited(self, pid: int, seen: int) -> list[Change]:
        """What a process changed by being gone."""
        for heard in self.heard.values():
            heard.exited(pid)
        return self.tracker.apply([ProcessExited(**_of(pid, seen))], seen)

    def _events(self, batch: Batch) -> Iterator[Event]:
        pid, sender = 0, None
        for record in DECODERS[batch.encoding](batch, self.registry.spans_wanted, self.registry.logs_ignored):
            agent = self.registry.of(record)
            if (record.resource, agent) != sender:
                pid, sender = self._pid(batch.peer, agent, record), (record.resource, agent)
            self._count(agent, record, batch.seen)
            if record.at >= batch.seen + FUTURE and self._set_back:  # dated before the clock was
                record = replace(record, at=record.at + self._set_back, start=record.start + self._set_back)
            at = record.at if 0 < record.at < batch.seen + FUTURE else batch.seen
            if at != record.at or not 0 < record.start <= at:
                record = replace(record, at=at, start=record.start if 0 < record.start < at else at)
            yield from agent.events(record, pid)

    def _pid(self, peer: Peer, agent: Agent, record: Record) -> int:
        """The process a record comes from: the peer if it is one of that agent's, not a collector's; or who it says."""
        if not peer.met:
            self._meet(peer)
        if agent.pid_key:
            claimed = record.resource.integer(agent.pid_key)
            if claimed and (claimed == peer.pid or self._vouch(claimed, agent)):
                return claimed
        return peer.pid if peer.comm in agent.executables else 0

    def _count(self, agent: Agent, record: Record, seen: int) -> None:
        heard = self.heard.get(agent.name)
        if heard is None:
            return
        unknown = record.signal == "logs" and record.name not in agent.read and "event.name" in record.attributes
        heard.record(seen, not unknown)

    def health(self, now: int) -> dict[str, Health]:
        """Per agent, whether its telemetry arrives."""
        return {name: heard.health(now) for name, heard in self.heard.items()}

    def jumped(self, slept: int, set_: int, now: int) -> list[Change]:
        """Time did, see the tracker. What was dated before the clock was set back may still come."""
        self._set_back = min(set_, 0) or self._set_back
        for heard in self.heard.values():
            heard.jumped(slept + set_)
        return self.tracker.jumped(slept, set_, now)

    def deadline(self, now: int) -> int | None:
        """When time alone will change something, µs since the epoch; None: never."""
        due = [heard.due(now) for heard in self.heard.values() if heard.owed]
        return min(filter(None, (self.tracker.deadline(), *due)), default=None)


def _of(pid: int, seen: int) -> dict[str, Any]:
    return {"agent": "", "session": "", "at": seen, "source": Source.PROCESS, "pid": pid}
