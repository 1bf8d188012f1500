"""Tells the bus what changed: states at once, counters at most 4 times a second, nothing that is the same as before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from dbus_fast import Message, MessageType, Variant

from aimond.bus.contract import MONITOR, ROOT, SESSION, STANDARD, Interface
from aimond.bus.monitor import summary, totals
from aimond.bus.session import changed, path, properties
from aimond.bus.source import Source
from aimond.bus.standard import OBJECT_MANAGER, PROPERTIES
from aimond.bus.values import money, text, variant
from aimond.core import change as core
from aimond.core.snapshot import SessionSnapshot

INTERVAL: Final = 0.25

_OF_SESSIONS: Final = STANDARD[OBJECT_MANAGER]
_OF_PROPERTIES: Final = STANDARD[PROPERTIES]


def signal(at: str, interface: Interface, member: str, *body: Any) -> Message:
    """A signal of the contract, ready to be sent."""
    return Message(
        message_type=MessageType.SIGNAL,
        path=at,
        interface=interface.name,
        member=member,
        signature=interface.signals[member].signature,
        body=list(body),
        validate=False,
    )


class Announcer:
    """Keeps what readers were last told, and sends what differs.

    What ``send`` had to forget counts as told too: readers ask for everything when the service comes back. ``flush``
    hands over what was sent, at once and not with all that this turn of the loop will have said.
    """

    def __init__(self, source: Source, send: Callable[[Message], None], flush: Callable[[], None]) -> None:
        self._source = source
        self._send, self._hand_over = send, flush
        self._told: dict[str, SessionSnapshot] = {}
        self._late: dict[str, SessionSnapshot] = {}
        self._summary: dict[str, Any] = {}
        self._totals: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Take the present as told: readers ask for it when the service comes."""
        self._told = {path(session): session for session in self._source.sessions()}
        self._summary = summary(self._source.shown())
        self._totals = totals(self._source)

    def end(self) -> None:
        """Send what is still due, and nothing more later."""
        if self._timer:
            self._timer.cancel()
            self._flush()

    def publish(self, changes: Iterable[core.Change]) -> None:
        """Tell what a batch of events changed."""
        urgent = False
        for change in changes:
            kind = type(change)
            if isinstance(change, core.SessionChange) and kind in _TELL:
                _TELL[kind](self, path(change.session), change)
                urgent = urgent or kind in _URGENT
            elif isinstance(change, core.BudgetCrossed):
                self._budget_crossed(change)
        if urgent:
            self._tell_summary()
            self._hand_over()  # before the other outputs have their turn

    def totals_changed(self) -> None:
        """Totals or health may be different now; told with the next counters, if they are."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._flush)

    def _flush(self) -> None:
        self._timer = None
        for at, session in list(self._late.items()):
            self._tell_properties(at, session)
        self._tell_summary()
        before, self._totals = self._totals, totals(self._source)
        self._tell_monitor(before, self._totals, [])

    def _tell_summary(self) -> None:
        shown = self._source.shown()
        before, self._summary = self._summary, summary(shown)
        # Whether the order differs would take as long to find out as it takes a reader to ask for it.
        reordered = len(shown) > 1 or before.get("SessionCount") != len(shown)
        self._tell_monitor(before, self._summary, ["Sessions"] if reordered else [])

    def _tell_monitor(self, before: dict[str, Any], after: dict[str, Any], invalid: list[str]) -> None:
        values = {
            name: variant(MONITOR.properties[name].type, value)
            for name, value in after.items()
            if value != (old := before.get(name)) and _telling(name, value) != _telling(name, old)
        }
        if values:
            self._send(signal(ROOT, _OF_PROPERTIES, "PropertiesChanged", MONITOR.name, values, invalid))

    def _tell_properties(self, at: str, session: SessionSnapshot) -> None:
        self._late.pop(at, None)
        if before := self._told.get(at):
            self._told[at] = session
            if values := changed(before, session):
                self._send(signal(at, _OF_PROPERTIES, "PropertiesChanged", SESSION.name, values, []))

    def _added(self, at: str, change: core.SessionAdded) -> None:
        session = change.session
        self._told[at] = session
        interfaces = {SESSION.name: properties(session)}
        self._send(signal(ROOT, _OF_SESSIONS, "InterfacesAdded", at, interfaces))
        self._send(signal(ROOT, MONITOR, "SessionAdded", at, text(session.id), text(session.agent)))

    def _removed(self, at: str, change: core.SessionRemoved) -> None:
        self._tell_properties(at, change.session)
        if self._told.pop(at, None):
            self._send(signal(ROOT, MONITOR, "SessionRemoved", at, text(change.session.id), text(change.reason)))
            self._send(signal(ROOT, _OF_SESSIONS, "InterfacesRemoved", at, [SESSION.name]))

    def _state_changed(self, at: str, change: core.StateChanged) -> None:
        session = change.session
        self._tell_properties(at, session)
        states = str(change.old), str(session.state)
        body = at, text(session.id), *states, text(session.reason)
        self._send(signal(ROOT, MONITOR, "SessionStateChanged", *body))

    def _completed(self, at: str, change: core.TurnCompleted) -> None:
        self._send(signal(ROOT, MONITOR, "SessionCompleted", at, text(change.session.id), _turn(change)))

    def _attention(self, at: str, change: core.AttentionNeeded) -> None:
        self._send(signal(ROOT, MONITOR, "AttentionNeeded", at, text(change.session.id), text(change.reason)))

    def _budget_crossed(self, change: core.BudgetCrossed) -> None:
        spent, limit = money(change.spent), money(change.limit)
        self._send(signal(ROOT, MONITOR, "BudgetCrossed", text(change.budget), spent, limit, change.fraction))

    def _details(self, at: str, change: core.SessionChange) -> None:
        self._late[at] = change.session
        self.totals_changed()


_TELL: Final[dict[type[core.Change], Callable[..., None]]] = {
    core.SessionAdded: Announcer._added,
    core.SessionRemoved: Announcer._removed,
    core.StateChanged: Announcer._state_changed,
    core.TurnCompleted: Announcer._completed,
    core.AttentionNeeded: Announcer._attention,
    core.ErrorSeen: Announcer._details,
    core.DetailsChanged: Announcer._details,
}
_URGENT: Final = frozenset({core.SessionAdded, core.SessionRemoved, core.StateChanged})


def _telling(name: str, value: Any) -> Any:
    """What of a property makes a difference: of healths only the states, their numbers never rest."""
    if name == "TelemetryHealth" and value is not None:
        return {agent: health["State"].value for agent, health in value.items()}
    if name == "ForwardHealth" and value is not None:
        return value["State"].value
    return value


def _turn(change: core.TurnCompleted) -> dict[str, Variant]:
    """A summary of the turn, without what is not known."""
    values = ((name, kind, getattr(change, field)) for name, kind, field in _SUMMARY)
    return {name: variant(kind, value) for name, kind, value in values if value is not None}


_SUMMARY: Final = (
    ("Turn", "u", "turn"),
    ("Duration", "t", "duration"),
    ("InputTokens", "t", "input_tokens"),
    ("OutputTokens", "t", "output_tokens"),
    ("Cost", "d", "cost"),
    ("CostBasis", "s", "cost_basis"),
    ("Evidence", "s", "evidence"),
    ("Confidence", "s", "confidence"),
)
