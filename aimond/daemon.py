"""Builds, wires and runs everything; the only file that knows everyone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from aimond import __version__, upkeep
from aimond.activation import Activation
from aimond.agents.agent import Agent
from aimond.alarm import Alarm
from aimond.answers import Answers
from aimond.backlog import Backlog
from aimond.bus.connection import session_address
from aimond.bus.service import Service
from aimond.clock import Clock
from aimond.clock import now as _now
from aimond.config import Config
from aimond.core.budget import Budgets
from aimond.core.change import Change
from aimond.core.journal import Journal
from aimond.core.output import Output
from aimond.core.policy import Policy
from aimond.core.sessions import KEPT
from aimond.core.turn import SECOND
from aimond.desktop.desk import Desk
from aimond.desktop.focus import Focus
from aimond.desktop.notifier import Notifier
from aimond.desktop.sway import Sway
from aimond.forward.forwarder import forwarder
from aimond.historian import Historian, budgets, day_of, tomorrow
from aimond.history.file import default_path
from aimond.history.store import Store
from aimond.hooks.message import Delivered
from aimond.metrics import Counters, Exposition
from aimond.otlp.record import Batch, Peer
from aimond.pricing import Prices
from aimond.process import place, proc, trail
from aimond.reception import Inside, receiving
from aimond.spine import Spine
from aimond.witness import Witness

_LOG: Final = logging.getLogger(__name__)


class Daemon:
    """The monitor."""

    def __init__(self, config: Config, bus_address: str | None = None, activation: Activation | None = None) -> None:
        self._config = config
        self._activation = activation or Activation([])
        self._hosts = set(config.otlp.names)
        project_of = lru_cache(maxsize=1024)(partial(place.project, home=str(Path.home())))
        self._prices = Prices(config.prices.models, update=config.prices.update, warn=_LOG.warning)
        self._spine = Spine(
            config.sessions.expire * SECOND,
            config.sessions.max,
            project_of,
            self._vouch,
            self._meet,
            journal=(journal := Journal()),
            pricing=self._prices,
        )
        tracker = self._spine.tracker
        tracker.accounts.budgets = Budgets(budgets(config), day_of)
        kept = config.history
        store = Store(default_path() if kept.enabled else None, kept.keep_days, kept.max_size_mb * 2**20, self._forgets)
        self._witness = Witness(self._spine.registry, self._process_started, self._process_exited)
        self._historian = Historian(store, tracker, journal, self._witness.started)
        self._queue = Backlog(self._understand)
        self._counters = Counters()
        self._forward = self._counters.forwarding = forwarder(config, lambda: self._publish([]))
        catch_up = self._queue.empty
        self._answers = Answers(
            self._spine, self._publish, self._hooked, _now, self._historian, self._forward, catch_up
        )
        self._bus = Service(self._answers, bus_address)
        focus = Focus(Sway(), trail, self._answers, config.sway) if config.sway.enabled else None
        self._answers.desktop = focus
        desk = Desk(self._answers.inhibited, acknowledge=self._answers.acknowledge)
        desk = focus.over(desk) if focus else desk  # without windows, nobody knows what is looked at
        policy = Policy.of(config.notifications.model_dump())
        self._notifier = Notifier(lambda: bus_address or session_address(), policy, desk, _now)
        self._desktop: list[Output] = [self._notifier, *([focus] if focus else [])]
        self._to_be_told = [self._bus, *self._desktop, self._historian, self._counters.meter, self._forward]
        self._outputs: list[Output] = []
        self._takers: list[Callable[[Config], None]] = [
            lambda config: self._prices.configure(config.prices.models),
            lambda config: self._notifier.adopt(Policy.of(config.notifications.model_dump())),
        ]
        if focus:
            self._takers.append(lambda config: focus.configure(config.sway))
        self._alarm, self._clock = Alarm(self._deadline, self._tick, _now), Clock(self._time_jumped)

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; ``ready`` is told where. Raises AlreadyRunning, PortInUse or OSError at the start."""
        async with AsyncExitStack() as running:
            running.callback(self._prices.close)
            running.callback(self._witness.close)
            self._historian.open()
            running.callback(self._historian.close)
            upkeep.publish(self._desktop, self._historian.recall(_now(), self._lives))
            await self._bus.start()
            running.push_async_callback(self._bus.close)
            running.push_async_callback(self._forward.close)
            self._outputs = self._to_be_told
            running.enter_context(self._clock.watched())
            self._tick()
            exposition = Exposition(self._spine, self._counters, self._queue)
            inside = Inside(self._consume, self._hooked, self._counters, exposition, self._healthz)
            receivers = AsyncExitStack()  # they are closed, and all of theirs is understood, before any output ends
            receivers.push_async_callback(self.stop)
            where = await receivers.enter_async_context(receiving(self._config, self._hosts, self._activation, inside))
            ready(", ".join(where))
            async with asyncio.TaskGroup() as tasks, receivers:
                for output in self._outputs:
                    tasks.create_task(upkeep.keep(output))
                await asyncio.Event().wait()

    def configure(self, config: Config, wrong: str = "") -> None:
        """Take these settings, as far as they can change while it runs: see reload.py; ``wrong``: why not newer."""
        self._queue.empty()  # what was accepted goes by the settings of then
        self._config = config
        self._hosts.clear()
        self._hosts.update(config.otlp.names)
        tracker = self._spine.tracker
        tracker.reviews.expire, tracker.reviews.max_visible = config.sessions.expire * SECOND, config.sessions.max
        tracker.sessions.kept = max(KEPT, 2 * config.sessions.max)
        for take in self._takers:
            take(config)
        self._answers.misconfigured(wrong)

    async def stop(self) -> None:
        """Understand what was accepted; the receivers are closed by now, and the bus is still there."""
        self._queue.empty()

    # -- the spine ----------------------------------------------------------------------------------

    def _consume(self, batch: Batch) -> bool:
        """Take a request without looking into it: its sender is a CLI that waits for the answer."""
        if len(self._queue) >= self._config.otlp.queue:
            self._counters.refused_full += 1
            return False
        if batch.signal == "logs" and not batch.peer.met:
            self._meet(batch.peer)  # now: who waits for an answer has not exited
        batch.peer.inode = 0  # afterwards it may have, and all processes would be looked through for its socket
        if not self._forward.admit(batch):
            return True
        self._queue.put(batch)
        self._prices.prepare()
        key = (batch.peer.transport, batch.signal)
        self._counters.requests[key] = self._counters.requests.get(key, 0) + 1
        return True

    def _understand(self, batches: list[Batch]) -> None:
        """The next requests, and what they have changed together. Of metrics alone not even totals are different."""
        told = [self._hear(batch) for batch in batches]
        changes: list[Change] = []
        try:
            changes = self._spine.changes(batches[-1].seen)
        except Exception:
            self._not_understood(batches[-1])
        if changes or any(told):
            self._publish(changes)
        else:
            self._alarm.set()

    def _hear(self, batch: Batch) -> bool:
        self._forward.take(batch)
        try:
            self._clock.look()
            batch.seen = min(batch.seen, _now())  # the clock may have been set back meanwhile
            self._spine.hear(batch)
        except Exception:
            self._not_understood(batch)
            return False
        return batch.signal != "metrics"

    def _not_understood(self, batch: Batch) -> None:
        self._counters.not_understood += 1
        _LOG.exception("a %s request was not understood; please report this", batch.signal)

    def _hooked(self, said: Delivered) -> None:
        """A hook was called: that is live, and goes before what is queued."""
        self._clock.check()
        pid = self._witness.caller(said.agent, said.context)
        fields, seen = said.fields, min(said.seen, _now())
        self._publish(self._spine.take_hook(said.agent, said.event, said.via, fields, seen, at=said.at, pid=pid))

    def _meet(self, peer: Peer) -> None:
        try:
            self._witness.meet(peer)
        except Exception:
            _LOG.exception("a sender was not found out; please report this")

    def _vouch(self, pid: int, agent: Agent) -> bool:
        return self._witness.vouch(pid, agent)

    def _lives(self, pid: int, start: int, agent: str) -> bool:
        """Whether that process, of an earlier run, still is one of that agent's; then it is attended to again."""
        found = self._spine.registry.by_name(agent)
        return found is not None and proc.is_alive(pid, start) and self._vouch(pid, found)

    def _forgets(self, why: str) -> None:
        """The history cannot be written, or can again."""
        _LOG.log(logging.WARNING if why else logging.INFO, "history: %s", why or "all is written again")
        self._answers.history_error = why
        self._publish([])

    def _process_started(self, pid: int, directory: str, terminal: str) -> None:
        self._publish(self._spine.process_started(pid, _now(), directory, terminal))

    def _process_exited(self, pid: int, at: int) -> None:
        """A process is gone; what it sent before is understood first."""
        self._queue.empty()
        self._publish(self._spine.process_exited(pid, at))

    def _publish(self, changes: list[Change]) -> None:
        upkeep.publish(self._outputs, changes)
        self._alarm.set()

    # -- time -----------------------------------------------------------------------------------------

    def _deadline(self, now: int) -> int:
        return min(tomorrow(now), self._spine.deadline(now) or 2**63)  # the totals of today end with it

    def _tick(self) -> None:
        self._clock.check()
        self._publish(self._spine.tracker.tick(_now()))

    def _time_jumped(self, slept: int, set_: int) -> None:
        _LOG.info("the machine slept for %d s; beside that its clock was set by %d s", slept // SECOND, set_ // SECOND)
        self._alarm.reset()
        self._publish(self._spine.jumped(slept, set_, _now()))
        self._notifier.adopt(Policy.of(self._config.notifications.model_dump()))

    # -- how it is --------------------------------------------------------------------------------

    def _healthz(self) -> dict[str, Any]:
        shown = self._spine.tracker.shown()
        return {"status": "ok", "version": __version__, "sessions": len(shown), "queued": len(self._queue)}
