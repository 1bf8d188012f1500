"""The tree of objects below ``/org/ai/Monitor``, and the standard interfaces on all of it.

Calls are answered from the contract's tables by one function, not by dbus-fast's ``ServiceInterface``: that one knows
no annotations, sends InterfacesAdded from the wrong path and searches all exports for each signal (seen in 5.2).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from dbus_fast import DBusError, ErrorType, Message, MessageFlag, MessageType, Variant

from aimond.bus.callers import Callers
from aimond.bus.contract import FAILED, NOT_SUPPORTED, OURS, ROOT, SESSION, SESSIONS, STANDARD, Interface
from aimond.bus.monitor import MonitorObject
from aimond.bus.session import Pages, SessionObject, path
from aimond.bus.source import Results, Source
from aimond.bus.standard import DOCTYPE, INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES

_LOG: Final = logging.getLogger(__name__)


class Exported(Protocol):
    """An object with an interface of ours. A method of that interface that is not in ``methods`` is yet to come."""

    @property
    def interface(self) -> Interface:
        """What the contract says of it."""

    @property
    def methods(self) -> dict[str, Callable[..., Results]]:
        """From a name and the arguments to the results, or to what will give them."""

    def properties(self) -> dict[str, Variant]:
        """All of them."""


class Node:
    """One place in the tree: an object, or only the way to one."""

    def __init__(self, path: str, exported: Exported | None) -> None:
        self.path, self.exported = path, exported
        names = [PEER, INTROSPECTABLE]
        if exported:
            names.append(PROPERTIES)
        if path == ROOT:
            names.append(OBJECT_MANAGER)
        self.interfaces = [STANDARD[name] for name in names]
        if exported:
            self.interfaces.insert(0, exported.interface)

    def interface(self, name: str | None, member: str) -> Interface:
        """The interface a call is for; callers may leave its name out."""
        for interface in self.interfaces:
            if interface.name == name or (name is None and member in interface.methods):
                return interface
        raise DBusError(ErrorType.UNKNOWN_INTERFACE, f"this object has no {name or f'interface with a {member}'}")

    def values(self, interface: str) -> dict[str, Variant]:
        """The properties of an interface; those of the standard have none, and the empty name means any."""
        if interface and not any(interface == known.name for known in self.interfaces):
            raise DBusError(ErrorType.UNKNOWN_INTERFACE, f"this object has no {interface[:80]!r}")
        return self.exported.properties() if self.exported and (not interface or interface in OURS) else {}

    def value(self, interface: str, name: str) -> Variant:
        """One property."""
        values = self.values(interface)
        if name not in values:
            raise DBusError(ErrorType.UNKNOWN_PROPERTY, f"this object has no property {name[:80]!r}")
        return values[name]


class Objects:
    """Everything a reader can call: each answer is what the source says now. ``send`` is for answers that take a while,
    and for what is no answer."""

    def __init__(self, source: Source, send: Callable[[Message], None]) -> None:
        self._send = send
        self._answering: set[asyncio.Task[None]] = set()
        self._source, self._pages = source, Pages()
        self.callers = Callers(send, source.caller_left)
        self._standard: dict[tuple[str, str], Callable[..., list[Any]]] = {
            (INTROSPECTABLE, "Introspect"): self._introspect,
            (PROPERTIES, "Get"): self._get,
            (PROPERTIES, "GetAll"): self._get_all,
            (PROPERTIES, "Set"): self._set,
            (OBJECT_MANAGER, "GetManagedObjects"): self._managed_objects,
        }

    def answer(self, call: Message) -> Message | bool:
        """The reply to a call, True when it wants none, False for what is not ours to answer."""
        if call.message_type is not MessageType.METHOD_CALL:
            self.callers.hear(call)
            return False
        if call.interface == PEER:
            return False
        try:
            self._source.catch_up()
            gives, results = self._result(call)
            if isinstance(results, Awaitable):
                self._answer_later(call, gives, results)
                return True
            reply = Message.new_method_return(call, gives, results)
        except Exception as error:
            reply = _refusal(call, error)
        return True if call.flags & MessageFlag.NO_REPLY_EXPECTED else reply

    def _answer_later(self, call: Message, gives: str, results: Awaitable[list[Any]]) -> None:
        async def answer() -> None:
            try:
                reply = Message.new_method_return(call, gives, await results)
            except Exception as error:
                reply = _refusal(call, error)
            if not call.flags & MessageFlag.NO_REPLY_EXPECTED:
                self._send(reply)

        answering = asyncio.get_running_loop().create_task(answer())
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    def _result(self, call: Message) -> tuple[str, Results]:
        node, member = self._node(call.path or "/", call.sender or ""), call.member or ""
        interface = node.interface(call.interface, member)
        method = interface.methods.get(member)
        if method is None:
            raise DBusError(ErrorType.UNKNOWN_METHOD, f"{interface.name} has no method {member}")
        if call.signature != method.takes:
            raise DBusError(ErrorType.INVALID_ARGS, f"{member} takes '{method.takes}', not '{call.signature}'")
        if standard := self._standard.get((interface.name, member)):
            return method.gives, standard(node, *call.body)
        own = node.exported and node.exported.methods.get(member)
        if not own:
            raise DBusError(NOT_SUPPORTED, f"this version of aimond has no {member}")
        return method.gives, own(*call.body)

    def _node(self, at: str, caller: str) -> Node:
        exported = self._exported(at, caller)
        if not exported and not self._children(at):
            raise DBusError(ErrorType.UNKNOWN_OBJECT, "there is no such object")
        return Node(at, exported)

    def _exported(self, at: str, caller: str) -> Exported | None:
        if at == ROOT:
            return MonitorObject(self._source, caller, self.callers)
        sessions = self._source.sessions() if at.startswith(SESSIONS) else ()
        session = next((session for session in sessions if path(session) == at), None)
        return SessionObject(self._source, session) if session else None

    def _children(self, at: str) -> list[str]:
        below = f"{at.rstrip('/')}/"
        paths = (ROOT, *map(path, self._source.sessions()))
        return sorted({one[len(below) :].split("/", 1)[0] for one in paths if one.startswith(below)})

    def _introspect(self, node: Node) -> list[Any]:
        interfaces = "\n".join(interface.xml.rstrip() for interface in node.interfaces)
        children = "".join(f'<node name="{name}"/>\n' for name in self._children(node.path))
        return [f"{DOCTYPE}<node>\n{interfaces}\n{children}</node>\n"]

    def _managed_objects(self, _node: Node) -> list[Any]:
        return [{at: {SESSION.name: page} for at, page in self._pages.of(self._source.sessions()).items()}]

    def _get(self, node: Node, interface: str, name: str) -> list[Any]:
        return [node.value(interface, name)]

    def _get_all(self, node: Node, interface: str) -> list[Any]:
        return [node.values(interface)]

    def _set(self, node: Node, interface: str, name: str, _value: Variant) -> list[Any]:
        node.value(interface, name)
        raise DBusError(ErrorType.PROPERTY_READ_ONLY, f"{name} is read-only")


def _refusal(call: Message, error: Exception) -> Message:
    """An exception as a caller is told of it."""
    if isinstance(error, DBusError):
        return Message.new_error(call, error.type, error.text)
    _LOG.error("%s.%s failed", call.interface, call.member, exc_info=error)
    return Message.new_error(call, FAILED, f"{type(error).__name__}; the log of aimond knows more")
