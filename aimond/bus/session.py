"""``org.ai.Monitor.Session``: one session as an object on the bus."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from dbus_fast import Variant

from aimond.bus.contract import SESSION, SESSIONS
from aimond.bus.source import Results, Source
from aimond.bus.values import label, variant
from aimond.core.snapshot import SessionSnapshot


def _field(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


_PROPERTIES: Final = tuple(SESSION.properties.items())
_fields: Final = attrgetter(*map(_field, SESSION.properties))
# Of most that a session could say it has nothing to say; who marshals a variant does not change it.
_NOTHING: Final = {kind: variant(kind, "" if kind == "s" else 0) for kind in "sutdb"}


@lru_cache(maxsize=4096)
def path_of(agent: str, session_id: str) -> str:
    """The object path of a session."""
    return f"{SESSIONS}{label(agent)}_{label(session_id)}"


def path(session: SessionSnapshot) -> str:
    """The object path of a session."""
    return path_of(session.agent, session.id)


def _variant(session: SessionSnapshot, name: str, kind: str, value: Any) -> Variant:
    if name == "Parent":
        value = path_of(session.agent, value) if value else "/"
    return variant(kind, value) if value else _NOTHING[kind]


def properties(session: SessionSnapshot) -> dict[str, Variant]:
    """All properties of a session."""
    pairs = zip(_PROPERTIES, _fields(session), strict=True)
    return {name: _variant(session, name, property_.type, value) for (name, property_), value in pairs}


def entry(session: SessionSnapshot) -> dict[str, Variant]:
    """A session as ListSessions has it: all properties and its path, without a cost that is not known."""
    values = properties(session)
    if session.cost is None:
        del values["Cost"]
    return {"Path": Variant("o", path(session)), **values}


def changed(before: SessionSnapshot, after: SessionSnapshot) -> dict[str, Variant]:
    """The properties that differ and say so."""
    return _differing(before, after, emits=("true",))


def _differing(before: SessionSnapshot, after: SessionSnapshot, emits: Container[str]) -> dict[str, Variant]:
    return {
        name: _variant(after, name, property_.type, new)
        for (name, property_), old, new in zip(_PROPERTIES, _fields(before), _fields(after), strict=True)
        if old != new and property_.emits in emits
    }


class Pages:
    """The properties of all sessions as they were last read: only what differs is made anew for the next reader. (To
    make all costs more than to marshal them.)"""

    def __init__(self) -> None:
        self._made: dict[str, tuple[SessionSnapshot, dict[str, Variant]]] = {}

    def of(self, sessions: Iterable[SessionSnapshot]) -> dict[str, dict[str, Variant]]:
        """The properties of each, by path."""
        self._made = {at: (session, self._page(at, session)) for session in sessions for at in (path(session),)}
        return {at: page for at, (_, page) in self._made.items()}

    def _page(self, at: str, session: SessionSnapshot) -> dict[str, Variant]:
        if at not in self._made:
            return properties(session)
        before, page = self._made[at]
        return page if before is session else {**page, **_differing(before, session, emits=("true", "false"))}


class SessionObject:
    """One session for the length of a call."""

    interface: Final = SESSION

    def __init__(self, source: Source, session: SessionSnapshot) -> None:
        self._source = source
        self._session = session
        self.methods: dict[str, Callable[..., Results]] = {"Acknowledge": self._acknowledge, "Focus": self._focus}

    def properties(self) -> dict[str, Variant]:
        """All properties."""
        return properties(self._session)

    async def _focus(self) -> list[Any]:
        return [await self._source.focus(self._session.agent, self._session.id)]

    def _acknowledge(self) -> list[Any]:
        self._source.acknowledge(self._session.agent, self._session.id)
        return []
