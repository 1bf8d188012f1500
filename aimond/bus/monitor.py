"""``org.ai.Monitor``: all sessions together, and what can be asked about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from dbus_fast import DBusError, ErrorType, Variant
from dbus_fast.unpack import unpack_variants

from aimond.bus import usage
from aimond.bus.callers import Callers
from aimond.bus.contract import INTERFACE_VERSION, INVALID_ARGUMENT, MONITOR, NO_SUCH_SESSION
from aimond.bus.session import entry, path
from aimond.bus.source import Results, Source
from aimond.bus.values import money, text, variant
from aimond.core.budget import Standing
from aimond.core.change import Health, Reason
from aimond.core.forwarding import Forwarding
from aimond.core.inhibitions import TooMany
from aimond.core.shown import Shown
from aimond.core.snapshot import URGENCY, SessionSnapshot, State, most_urgent

_COUNTED: Final = {
    f"{state.capitalize()}Count": state
    for state in (State.WORKING, State.WAITING, State.COMPLETED, State.QUIET, State.FAILED)
}


def summary(shown: Shown) -> dict[str, Any]:
    """The properties that follow from the sessions, but for ``Sessions`` itself."""
    current = shown.neediest
    return {
        "State": str(shown.state or "none"),
        "SessionCount": sum(map(shown.count, URGENCY)),
        **{name: shown.count(state) for name, state in _COUNTED.items()},
        "CurrentSession": path(current) if current else "/",
    }


def totals(source: Source) -> dict[str, Any]:
    """The properties that follow from usage, health and what others asked for."""
    used = source.totals()
    return {
        "CostToday": money(used.cost_today),
        "CostTodayBasis": str(used.cost_today_basis),
        "CostMonth": money(used.cost_month),
        "TokensToday": used.tokens_today,
        "Budgets": [_standing(each) for each in source.budgets()],
        "HistoryError": source.history_error,
        "ConfigError": text(source.config_error),
        "Inhibited": source.inhibited(),
        "TelemetryHealth": {text(agent): _health(health) for agent, health in source.health().items()},
        "ForwardHealth": _forwarding(source.forwarding()),
    }


def _standing(standing: Standing) -> dict[str, Variant]:
    return {
        "Budget": variant("s", text(standing.budget)),
        "Spent": variant("d", money(standing.spent)),
        "Limit": variant("d", money(standing.limit)),
        "Unit": variant("s", standing.unit),
    }


def _health(health: Health) -> dict[str, Variant]:
    return {
        "State": variant("s", health.state),
        "LastRecord": variant("t", health.last_record),
        "Records": variant("t", health.records),
        "UnknownEvents": variant("t", health.unknown_events),
        "Hooks": variant("t", health.hooks),
        "LastHook": variant("t", health.last_hook),
        "Hint": variant("s", health.hint),
    }


def _forwarding(forwarding: Forwarding) -> dict[str, Variant]:
    return {
        "State": variant("s", forwarding.state),
        "Sent": variant("t", forwarding.sent),
        "Dropped": variant("t", forwarding.dropped),
        "Spooled": variant("t", forwarding.spooled),
        "LastError": variant("s", text(forwarding.error)),
    }


def _reason(reason: Reason) -> dict[str, Variant]:
    return {
        "Time": variant("t", reason.at),
        "State": variant("s", reason.state),
        "Evidence": variant("s", reason.evidence),
        "Confidence": variant("s", reason.confidence),
        "Record": variant("s", reason.record),
    }


class MonitorObject:
    """The object at the root, for the length of one ``caller``'s call. A method of the contract that has no entry in
    ``methods`` is not supported yet."""

    interface: Final = MONITOR

    def __init__(self, source: Source, caller: str, callers: Callers) -> None:
        self._source, self._caller, self._callers = source, caller, callers
        self.methods: dict[str, Callable[..., Results]] = {
            "ListSessions": self._list_sessions,
            "GetSession": self._get_session,
            "Focus": self._focus,
            "FocusNext": self._focus_next,
            "Acknowledge": self._acknowledge,
            "AcknowledgeAll": self._acknowledge_all,
            "Explain": self._explain,
            "Usage": self._usage,
            "Inhibit": self._inhibit,
            "Uninhibit": self._uninhibit,
            "Hook": self._hook,
        }

    def properties(self) -> dict[str, Variant]:
        """All properties."""
        values = {
            "Version": self._source.version,
            "InterfaceVersion": INTERFACE_VERSION,
            **summary(self._source.shown()),
            "Sessions": [path(session) for session in most_urgent(self._source.sessions())],
            **totals(self._source),
        }
        return {name: variant(MONITOR.properties[name].type, value) for name, value in values.items()}

    def _list_sessions(self) -> list[Any]:
        return [[entry(session) for session in most_urgent(self._source.sessions())]]

    def _get_session(self, name: str) -> list[Any]:
        return [entry(self._find(name))]

    def _focus(self, name: str) -> Results:
        session = self._find(name)
        return self._focused(self._source.focus(session.agent, session.id))

    def _focus_next(self) -> Results:
        return self._focused(self._source.focus_next())

    async def _focused(self, focusing: Awaitable[bool]) -> list[Any]:
        return [await focusing]

    def _acknowledge(self, name: str) -> list[Any]:
        session = self._find(name)
        self._source.acknowledge(session.agent, session.id)
        return []

    def _acknowledge_all(self) -> list[Any]:
        self._source.acknowledge_all()
        return []

    def _explain(self, name: str) -> list[Any]:
        session = self._find(name)
        return [[_reason(reason) for reason in self._source.explain(session.agent, session.id)]]

    async def _usage(self, period: str, group: str) -> list[Any]:
        try:
            rows = await self._source.usage(text(period), text(group))
        except ValueError as error:
            raise DBusError(INVALID_ARGUMENT, str(error)) from None
        return [[usage.entry(row) for row in rows]]

    def _inhibit(self, application: str, reason: str) -> list[Any]:
        try:
            cookie = self._source.inhibit(self._caller, text(application), text(reason))
        except TooMany as error:
            raise DBusError(ErrorType.LIMITS_EXCEEDED, str(error)) from None
        self._callers.watch(self._caller)
        return [cookie]

    def _uninhibit(self, cookie: int) -> list[Any]:
        try:
            if not self._source.uninhibit(self._caller, cookie):
                self._callers.unwatch(self._caller)
        except ValueError as error:
            raise DBusError(INVALID_ARGUMENT, str(error)) from None
        return []

    def _hook(self, agent: str, payload: str, context: dict[str, Variant]) -> list[Any]:
        try:
            self._source.hook(agent, payload, unpack_variants(context))
        except ValueError as error:
            raise DBusError(INVALID_ARGUMENT, str(error)) from None
        return []

    def _find(self, name: str) -> SessionSnapshot:
        sessions = self._source.sessions()
        for session in sessions:
            if name == session.id:
                return session
        for session in sessions:
            if name == f"{session.agent}:{session.id}":
                return session
        raise DBusError(NO_SUCH_SESSION, f"there is no session {text(name[:80])!r}")
