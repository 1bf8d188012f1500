"""Our place on the session bus: the name, through back-pressure and through the death of the bus."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dbus_fast import Message, NameFlag, RequestNameReply
from dbus_fast.aio import MessageBus

from aimond.bus.contract import NAME
from aimond.bus.outbox import Outbox
from aimond.dial import dial, until_gone

_LOG: Final = logging.getLogger(__name__)

FIRST_RETRY: Final = 0.1
LAST_RETRY: Final = 5.0
MOST_UNSENT: Final = 8 * 2**20  # bytes
# How long a bus may take to let us in, seconds: one that accepts and never answers is left, and tried again.
PATIENCE: Final = 20.0


class AlreadyRunning(Exception):  # noqa: N818  (a fact about the desktop, not a mistake)
    """Another process owns the name ``org.ai.Monitor``; its ``pid`` is 0 if it left meanwhile."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"aimond is already running on this bus (pid {pid})")
        self.pid = pid


def session_address() -> str:
    """Where the session bus is: the environment says, or it is where systemd puts it, or ``aimond run`` did."""
    usual = _runtime() / "bus"
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    ours = _runtime() / "aimond" / "bus"
    return f"unix:path={ours if ours.is_socket() and not usual.is_socket() else usual}"


def private_address() -> str:
    """Where ``aimond run`` starts a bus when there is none."""
    return f"unix:path={_runtime()}/aimond/bus"


def _runtime() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


class Connection:
    """One connection at a time, whose calls are answered by ``answer``; ``lost`` is told when the bus died."""

    def __init__(
        self, answer: Callable[[Message], Message | bool], address: str | None, lost: Callable[[], None] = lambda: None
    ) -> None:
        self._answer = answer
        self._lost = lost
        self._address = address
        self._bus: MessageBus | None = None
        self._outbox: Outbox | None = None

    async def open(self) -> None:
        """Connect and own the name. AlreadyRunning if it has an owner; OSError and others if there is no bus, or if
        it does not answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._open()
        except TimeoutError:
            raise TimeoutError(f"the session bus has not answered for {PATIENCE:g} s") from None

    async def _open(self) -> None:
        bus = MessageBus(self._address or session_address())
        bus.add_message_handler(self._answer)
        await dial(bus)
        outbox = Outbox(bus._sock, asyncio.get_running_loop())  # type: ignore[arg-type]
        bus._writer.sock = outbox  # type: ignore[union-attr]
        try:
            if await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE) is not RequestNameReply.PRIMARY_OWNER:
                raise AlreadyRunning(await _owner(bus))
        except BaseException:
            bus.disconnect()
            raise
        self._bus, self._outbox = bus, outbox

    async def keep(self) -> None:
        """Open again whenever the bus dies; never returns.

        A name that is taken then is waited for: whoever was started in between finds our ports in use and leaves.
        """
        while True:
            await self._closed()
            _LOG.warning("lost the session bus; trying to come back")
            self._lost()
            delay = FIRST_RETRY
            while not await self._reopen():
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)
            _LOG.info("back on the session bus")

    async def _reopen(self) -> bool:
        try:
            await self.open()
        except Exception as error:
            _LOG.debug("no session bus yet: %s", error)
            return False
        return True

    def send(self, message: Message) -> None:
        """Send, or forget it when there is no connection: readers of the next one ask anew.

        A bus that takes nothing for too long is given up, so that what waits for it stays bounded.
        """
        if not self._bus or not self._outbox or not self._bus.connected:
            return
        # dbus-fast's own way makes a future and three more objects of each message, to write it sooner or later.
        message.serial = self._bus.next_serial()
        self._outbox.send(message._marshall(False))
        if self._outbox.unsent > MOST_UNSENT:
            _LOG.warning("the session bus takes no messages")
            self._bus.disconnect()

    def flush(self) -> None:
        """Hand over now what was sent in this turn of the loop, unless the bus was given up."""
        if self._outbox and self._bus and self._bus.connected:
            self._outbox.flush()

    async def close(self) -> None:
        """Leave the bus."""
        self.flush()
        if self._bus:
            self._bus.disconnect()
            await self._closed()

    async def _closed(self) -> None:
        if self._bus:
            await asyncio.shield(until_gone(self._bus))


async def _owner(bus: MessageBus) -> int:
    reply = await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="GetConnectionUnixProcessID",
            signature="s",
            body=[NAME],
        )
    )
    return reply.body[0] if reply and reply.signature == "u" else 0
