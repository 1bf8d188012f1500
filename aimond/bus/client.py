"""``org.ai.Monitor`` from outside: what every command uses. It never starts the service unasked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, Self

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError
from dbus_fast.unpack import unpack_variants
from msgspec import Struct

from aimond.bus.connection import session_address
from aimond.bus.contract import MONITOR, NAME, OURS, ROOT, STANDARD, Interface
from aimond.bus.standard import PROPERTIES
from aimond.dial import until_gone

TIMEOUT: Final = 10.0

_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"
_NOBODY: Final = {f"{_BUS}.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected")}
_ARGUMENTS: Final = {
    (_BUS, "NameOwnerChanged"): ("name", "old_owner", "new_owner"),
    **{
        (interface.name, name): signal.arguments
        for interface in (*STANDARD.values(), *OURS.values())
        for name, signal in interface.signals.items()
    },
}
_RULES: Final = (
    f"type='signal',sender='{NAME}',path_namespace='{ROOT}'",
    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{NAME}'",
)


class NotRunning(Exception):  # noqa: N818  (says what to do)
    """Nobody owns ``org.ai.Monitor``, or there is no session bus to own it on."""

    def __init__(self, why: str = "aimond is not running") -> None:
        super().__init__(f"{why}; start it with `systemctl --user start aimond`, or `aimond run` in a terminal")


class CallFailed(Exception):  # noqa: N818  (the service's answer)
    """The service refused a call; ``name`` is the D-Bus error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Signal(Struct, frozen=True):
    """A signal: ``values`` are its arguments by their names in the contract, as plain Python values."""

    name: str
    path: str
    values: dict[str, Any]


class Monitor:
    """A connection to the service, and a context manager: ``async with await Monitor.connect() as monitor``."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._end = asyncio.ensure_future(until_gone(bus))
        self._end.add_done_callback(self._lost)
        self._signals: asyncio.Queue[Signal | None] | None = None

    @classmethod
    async def connect(cls, address: str | None = None) -> Self:
        """Connect to the session bus; NotRunning when there is none. Whether the service is there, calls find out."""
        try:
            bus = MessageBus(address or session_address())
            async with asyncio.timeout(TIMEOUT):
                await bus.connect()
        except TimeoutError as error:
            raise NotRunning(f"the session bus has not answered for {TIMEOUT:g} s") from error
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            raise NotRunning(f"there is no session bus ({error})") from error
        return cls(bus)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.disconnect()
        await asyncio.wait([self._end])

    async def call(self, member: str, *arguments: Any) -> Any:
        """Call a method of ``org.ai.Monitor`` and return its result, None if it has none.

        NotRunning when nobody answers, CallFailed when the answer is an error.
        """
        return await self._call(MONITOR, member, *arguments)

    async def sessions(self) -> list[dict[str, Any]]:
        """All sessions, the most urgent first: properties by their D-Bus names, and ``Path``."""
        return list(await self.call("ListSessions"))

    async def properties(self) -> dict[str, Any]:
        """The properties of ``org.ai.Monitor``."""
        return dict(await self._call(STANDARD[PROPERTIES], "GetAll", NAME))

    async def explain(self, session_id: str) -> list[dict[str, Any]]:
        """Why a session is in its state, the newest reason first."""
        return list(await self.call("Explain", session_id))

    async def focus(self, session_id: str) -> bool:
        """Bring the terminal of a session to the front; false if that cannot be done."""
        return bool(await self.call("Focus", session_id))

    async def focus_next(self) -> bool:
        """Bring the terminal of the session that most needs its user to the front; false if that cannot be done."""
        return bool(await self.call("FocusNext"))

    async def acknowledge(self, session_id: str) -> None:
        """The user has seen a session."""
        await self.call("Acknowledge", session_id)

    async def acknowledge_all(self) -> None:
        """The user has seen every session."""
        await self.call("AcknowledgeAll")

    async def start(self) -> None:
        """Have the bus start the service, unless it runs; NotRunning or CallFailed when it cannot be started."""
        await self._send(Message(_BUS, _BUS_PATH, _BUS, "StartServiceByName", signature="su", body=[NAME, 0]))

    async def subscribe(self) -> None:
        """Collect signals from now on: before the first read, so that nothing falls in between."""
        if self._signals is not None:
            return
        self._signals = asyncio.Queue()
        self._bus.add_message_handler(self._collect)
        for rule in _RULES:
            await self._send(Message(_BUS, _BUS_PATH, _BUS, "AddMatch", signature="s", body=[rule]))

    async def changes(self) -> AsyncIterator[Signal]:
        """The signals of the service since ``subscribe``, which it does first if nobody did.

        ``NameOwnerChanged`` tells that the service came, or went (its ``new_owner`` is empty): read everything anew
        then. NotRunning when the bus dies.
        """
        await self.subscribe()
        while self._signals and (signal := await self._signals.get()):
            yield signal
        raise NotRunning("the session bus is gone")

    def _collect(self, message: Message) -> None:
        arguments = _ARGUMENTS.get((message.interface or "", message.member or ""))
        if arguments and self._signals and message.message_type is MessageType.SIGNAL:
            values = dict(zip(arguments, unpack_variants(message.body), strict=False))
            self._signals.put_nowait(Signal(message.member or "", message.path or "", values))

    def _lost(self, _end: asyncio.Future[None]) -> None:
        if self._signals:
            self._signals.put_nowait(None)

    async def _call(self, interface: Interface, member: str, *arguments: Any) -> Any:
        method = interface.methods[member]
        call = Message(NAME, ROOT, interface.name, member, signature=method.takes, body=list(arguments))
        results = await self._send(call)
        return results[0] if results else None

    async def _send(self, call: Message) -> list[Any]:
        call.flags = MessageFlag.NO_AUTOSTART
        try:
            async with asyncio.timeout(TIMEOUT):
                reply = await self._bus.call(call)
        except TimeoutError:
            raise CallFailed(f"{_BUS}.Error.Timeout", f"{call.member}: no answer in {TIMEOUT:.0f} s") from None
        except (OSError, EOFError) as error:
            raise NotRunning("the session bus is gone") from error
        if reply.message_type is not MessageType.ERROR:
            return list(unpack_variants(reply.body))
        if reply.error_name in _NOBODY:
            raise NotRunning
        raise CallFailed(reply.error_name or "", str(reply.body[0]) if reply.body else "")
