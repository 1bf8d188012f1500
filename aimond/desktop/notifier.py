"""Notifications: keeps what the desktop shows equal to what ``core/board.py`` says should be shown; by dbus-fast alone,
see docs/notifications.md for why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from dbus_fast.aio import MessageBus

from aimond.core.board import Board, Entry
from aimond.core.change import Change
from aimond.core.notice import Kind
from aimond.core.policy import Policy
from aimond.core.snapshot import SessionSnapshot
from aimond.desktop.desk import Desk, Gaze
from aimond.desktop.looks import DISMISS, looks
from aimond.desktop.server import DIED, DISMISSED, Server, Shown
from aimond.dial import dial, until_gone

_LOG: Final = logging.getLogger(__name__)

FIRST_RETRY: Final = 0.1
LAST_RETRY: Final = 5.0
_SECOND: Final = 1_000_000


class Notifier:
    """An output. ``address``: where the bus is; ``now``: µs since the epoch; ``wall``: that as the clock shows it."""

    def __init__(
        self,
        address: Callable[[], str],
        policy: Policy,
        desk: Desk,
        now: Callable[[], int],
        wall: Callable[[int], datetime] = lambda now: datetime.fromtimestamp(now / _SECOND).astimezone(),
    ) -> None:
        self._address, self._desk, self._now, self._wall = address, desk, now, wall
        self._board = Board(policy, Gaze(desk.is_looked_at, lambda: self.publish(())))
        self._shown: dict[Entry, Shown] = {}
        self._server: Server | None = None
        self._identity = ""
        self._timer: asyncio.TimerHandle | None = None
        self._clicks: set[asyncio.Task[None]] = set()

    def adopt(self, policy: Policy) -> None:
        """Other settings from now on; what is shown already stays."""
        self._board.policy = policy
        if self._timer:
            self._timer.cancel()
        self._woken()

    # -- an output ----------------------------------------------------------------------------------

    def publish(self, changes: Sequence[Change]) -> None:
        """Show what is news, and take away what is none any more."""
        self._sync(self._board.take(changes, self._now(), self._is_silent))
        if self._board.holds and self._is_silent(Kind.WAITING):
            self._wake_at_the_end_of_quiet_hours()
        elif self._board.holds:
            self._sync(self._board.release(self._now(), self._is_silent))

    async def run(self) -> None:
        """Stay connected."""
        delay = FIRST_RETRY
        try:
            while True:
                try:
                    await self._connection()
                    delay = FIRST_RETRY
                except Exception as error:
                    if (task := asyncio.current_task()) and task.cancelling():
                        raise
                    _LOG.debug("notifications: no session bus yet: %s", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)
        finally:
            if self._timer:
                self._timer.cancel()

    async def _connection(self) -> None:
        async with asyncio.timeout(LAST_RETRY):  # wait_for may lose a cancellation (Python 3.11)
            bus = await dial(MessageBus(self._address()))
        self._server = Server(bus, self)
        self._server.begin(self._identity)
        try:
            await until_gone(bus)
        except asyncio.CancelledError:
            await self._take_questions_along(self._server)
            raise
        finally:
            self._identity, self._server = self._server.identity, None
            for shown in self._shown.values():
                if shown.is_due:  # whether it was heard, nobody knows
                    shown.is_due, shown.notice = False, None
            bus.disconnect()

    async def _take_questions_along(self, server: Server) -> None:
        """Nobody would take them away any more, and they do not go by themselves. What is news and not shown yet is."""
        self._sync(self._board.hurry(self._now(), self._is_silent))
        if any(shown.is_due for shown in self._shown.values()):
            await asyncio.wait([server.settled()], timeout=1.0)
        numbers = [shown.number for entry, shown in self._shown.items() if entry.kind is Kind.WAITING and shown.number]
        if numbers:
            await asyncio.wait([server.close(number) for number in numbers], timeout=1.0)

    # -- when not -----------------------------------------------------------------------------------

    def _is_silent(self, kind: Kind) -> bool:
        if self._desk.is_inhibited() or (self._server and self._server.inhibited):
            return True
        let_through = kind is Kind.WAITING and self._board.policy.waiting_in_quiet_hours
        return not let_through and self._quiet_until() is not None

    def _quiet_until(self) -> datetime | None:
        return self._board.policy.silent_until(self._wall(self._now()).replace(tzinfo=None))

    def _wake_at_the_end_of_quiet_hours(self) -> None:
        if not self._timer and (end := self._quiet_until()):
            delay = max(1.0, end.timestamp() - self._now() / _SECOND)
            self._timer = asyncio.get_running_loop().call_later(delay, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self.publish(())

    # -- what the daemon shows ----------------------------------------------------------------------

    def _sync(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._sync_one(entry)

    def _sync_one(self, entry: Entry) -> None:
        """Tell the daemon what an entry says now, unless an answer about it is due: then afterwards."""
        shown, server = self._shown.get(entry) or self._heir(entry), self._server
        if shown.is_due:
            return
        notice = entry.notice
        if notice is None:
            if server and shown.number:
                server.close(shown.number)
            if server or not shown.number:
                del self._shown[entry]
        elif server and notice != shown.notice:
            if server.capabilities is None:
                server.ask()
                return
            shown.notice, shown.is_due = notice, True
            can_focus = any(each.session and self._desk.can_focus(each.session) for each in entry.notices.values())
            body = looks(notice, shown.number, can_focus, server.capabilities)
            server.notify(body, lambda number, error: self._answered(shown, number, error))

    def _heir(self, entry: Entry) -> Shown:
        """What is known of a new entry: that of one before of its session which could not go yet."""
        before = next((old for old in self._shown if old.key == entry.key and old.notice is None), None)
        self._shown[entry] = shown = self._shown.pop(before) if before else Shown(entry)
        shown.entry = entry
        return shown

    def _answered(self, shown: Shown, number: int, error: str) -> None:
        entry = shown.entry
        if self._shown.get(entry) is not shown:
            return
        shown.is_due, shown.number, told = False, number, shown.notice
        if error:
            _LOG.debug("a notification was not shown: %s", error)
            shown.notice = None
            if entry.kind is not Kind.WAITING:
                self._board.drop(entry)
        died = error == DIED and self._server and self._server.capabilities is not None
        if not error or died or entry.notice != told:
            self._sync_one(entry)

    # -- what the daemon says -----------------------------------------------------------------------

    def ready(self) -> None:
        """Show what could not be shown yet."""
        self._sync(list(self._shown))
        self.publish(())

    def absent(self) -> None:
        """Start one if there is anything to show."""
        self._sync(list(self._shown))

    def unavailable(self) -> None:
        """Only questions are worth telling later."""
        for entry in list(self._shown):
            if entry.kind is not Kind.WAITING:
                self._forget(entry)

    def lost(self) -> None:
        """The daemon took everything with it; what still waits is shown by the next one."""
        for entry, shown in list(self._shown.items()):
            if shown.notice and entry.kind is not Kind.WAITING:
                self._forget(entry)
                continue
            shown.number, shown.notice = 0, None
            if entry.notice is None:
                self._sync_one(entry)

    def closed(self, number: int, reason: int) -> None:
        """It ran out, or the user closed it and so has seen it; unless another takes its place at this moment."""
        entry = self._find(number)
        if entry and not self._shown[entry].is_due:
            keys = list(entry.notices)
            self._forget(entry)
            if reason == DISMISSED:
                self._acknowledge(keys)

    def invoked(self, number: int, action: str, token: str) -> None:
        """The user clicked: it is seen, and needed no longer."""
        entry = self._find(number)
        if not entry:
            return
        notices = list(reversed(entry.notices.values()))
        self._board.drop(entry)
        self._sync_one(entry)
        self._acknowledge([notice.key for notice in notices])
        target = next((each.session for each in notices if each.session and self._desk.can_focus(each.session)), None)
        if target and action != DISMISS:
            clicked = asyncio.ensure_future(self._focus(target, token))
            self._clicks.add(clicked)
            clicked.add_done_callback(self._clicks.discard)

    async def _focus(self, session: SessionSnapshot, token: str) -> None:
        try:
            await self._desk.focus(session.agent, session.id, token)
        except Exception:
            _LOG.exception("a terminal was not brought to the front; please report this")

    def _acknowledge(self, keys: Sequence[tuple[str, str]]) -> None:
        for agent, session_id in keys:
            if agent:
                self._desk.acknowledge(agent, session_id)

    def _find(self, number: int) -> Entry | None:
        return next((entry for entry, shown in self._shown.items() if shown.number == number != 0), None)

    def _forget(self, entry: Entry) -> None:
        """It is on no screen."""
        self._board.drop(entry)
        shown = self._shown[entry]
        shown.number, shown.notice = 0, None
        if not shown.is_due:
            del self._shown[entry]
