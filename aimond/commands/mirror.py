"""What the monitor has said so far, kept up to date by its signals: no question is asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from aimond.bus.client import Signal
from aimond.commands.look import Budget, Session, used
from aimond.core.snapshot import RANK, State

_MONITOR: Final = "org.ai.Monitor"
_SESSION: Final = "org.ai.Monitor.Session"


class Mirror:
    """The monitor as last heard: ``properties`` of ``org.ai.Monitor``, ``sessions`` by object path (as ListSessions
    gives them). ``off`` says why there is nothing to show, else it is "".
    """

    def __init__(self) -> None:
        self.off = "not asked yet"
        self.properties: dict[str, Any] = {}
        self.sessions: dict[str, Session] = {}

    def reset(self, properties: dict[str, Any], sessions: Iterable[Session]) -> None:
        """Everything was read anew."""
        self.off, self.properties = "", properties
        self.sessions = {session["Path"]: session for session in sessions}

    def lose(self, why: str) -> None:
        """There is no monitor."""
        self.off, self.properties, self.sessions = why, {}, {}

    def apply(self, signal: Signal) -> bool:
        """Take in a signal; whether that may have changed something. An older one than the last reset does no harm:
        whatever it says that is no longer so, a newer one corrects.
        """
        take = _TAKE.get(signal.name)
        return bool(take and take(self, signal.path, signal.values))

    def by_urgency(self) -> list[Session]:
        """The sessions, the most urgent first, those that came to their state last first among equals."""
        return sorted(
            self.sessions.values(),
            key=lambda one: (RANK.get(one["State"], len(RANK)), -one["StateSince"], one["Id"]),
        )

    def counts(self) -> dict[str, int]:
        """How many sessions are in which state, the most urgent first. Sub-agents count where they make the monitor's
        State what it is: waiting and failed.
        """
        states = Counter(
            session["State"]
            for session in self.sessions.values()
            if session["Parent"] == "/" or session["State"] in (State.WAITING, State.FAILED)
        )
        return dict(sorted(states.items(), key=lambda item: RANK.get(item[0], len(RANK))))

    def budgets(self) -> list[Budget]:
        """How much of each budget is spent, the tightest first; none of a monitor that does not tell."""
        return sorted(self.properties.get("Budgets", []), key=used, reverse=True)

    def _added(self, _path: str, values: dict[str, Any]) -> bool:
        properties = values["interfaces"].get(_SESSION)
        if properties:
            self.sessions[values["object"]] = {**properties, "Path": values["object"]}
        return bool(properties)

    def _removed(self, _path: str, values: dict[str, Any]) -> bool:
        return self.sessions.pop(values["object"], None) is not None

    def _changed(self, path: str, values: dict[str, Any]) -> bool:
        ours = values["interface_name"] == _MONITOR
        known = self.properties if ours else self.sessions.get(path)
        if known:
            known.update(values["changed_properties"])
        return bool(known)


_TAKE: Final[dict[str, Callable[[Mirror, str, dict[str, Any]], bool]]] = {
    "InterfacesAdded": Mirror._added,
    "InterfacesRemoved": Mirror._removed,
    "PropertiesChanged": Mirror._changed,
}
