"""The tmux pane that a process is shown in: what its environment says, what the tmux server makes of that, and which
terminals show it."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from typing import Final

from msgspec import Struct

from aimond.core.trail import Client
from aimond.process import proc
from aimond.process.plain import plain

_SOCKET: Final = 108  # sun_path of unix(7)
_PANE: Final = re.compile(r"%\d{1,9}")

_SECONDS: Final = 1.0
_ANSWER: Final = 4096
_SESSION: Final = 64
# The session's name comes last, for anything may be in it. No tabs: tmux makes _ of them for a client that it does not
# take for one with UTF-8.
_QUESTION: Final = "#{pane_tty} #{window_index} #{pane_index} #{session_name}"
# Of the pane, then of each client: the pane it shows is among its own variables (tmux 3.3a).
_WHERE: Final = "#{pane_tty} #{session_id}"
_CLIENT: Final = "#{client_pid} #{client_tty} #{client_activity} #{pane_id} #{session_id} #{client_control_mode}"


class Inside(Struct, frozen=True):
    """What TMUX and TMUX_PANE say: the ``socket`` of the server, and the ``pane`` (%5) the process was started in."""

    socket: str
    pane: str


class Pane(Struct, frozen=True, kw_only=True):
    """A pane as the server knows it. ``window`` and ``index`` are its place in ``session``, whose name is fit to
    show."""

    socket: str
    id: str
    session: str
    window: int
    index: int
    tty: str


def inside(tmux: str, pane: str) -> Inside | None:
    """The values of TMUX (socket, pid, session; a path may have commas) and TMUX_PANE; None if they are neither."""
    socket = tmux.rsplit(",", 2)[0]
    if not socket.startswith("/") or len(socket) > _SOCKET or not _PANE.fullmatch(pane):
        return None
    return Inside(socket, pane)


def inherited(pid: int) -> Inside | None:
    """What the environment of a process says; it may have it from a terminal that was started in tmux."""
    return inside(*proc.environment(pid, "TMUX", "TMUX_PANE"))


async def find(where: Inside, tty: str) -> Pane | None:
    """The pane, as its server tells within a second; None if there is no tmux, no server, no such pane, or if ``tty``
    is not the pane's terminal: then the process is shown elsewhere."""
    if not tty or not _is_ours(where.socket):
        return None
    found = _understood(where, await _ask(where, "display-message", "-p", "-t", where.pane, _QUESTION))
    return found if found and found.tty == tty else None


async def clients(where: Inside, tty: str) -> list[Client] | None:
    """The terminals that could show the pane, first those that do, then those of its session, then those used last.
    None under the conditions of ``find``."""
    if not tty or not _is_ours(where.socket):
        return None
    question = ("display-message", "-p", "-t", where.pane, _WHERE, ";", "list-clients", "-F", _CLIENT)
    pane, *lines = (await _ask(where, *question)).splitlines() or [""]
    pane_tty, _, session = pane.partition(" ")
    if pane_tty != tty:
        return None
    found = []
    for line in lines:
        words = line.split(" ")
        if len(words) == 6 and words[0].isdigit() and words[2].isdigit() and words[5] != "1":
            shows = words[3] == where.pane
            rank = (not shows, words[4] != session, -int(words[2]))
            found.append((rank, Client(pid=int(words[0]), tty=words[1], shows=shows)))
    return [client for _, client in sorted(found, key=lambda each: each[0])]


async def show(where: Inside, client: Client) -> bool:
    """Let that terminal show the pane, whatever session and window it is in; a zoomed window stays zoomed."""
    said = ("display-message", "-p", "-t", where.pane, "done")
    return (await _ask(where, "switch-client", "-Z", "-c", client.tty, "-t", where.pane, ";", *said)).strip() == "done"


def terminal(tty: str, pane: Pane | None) -> str:
    """Where a process is shown, in words: ``tmux:work:1.0``, or ``/dev/pts/3``, or "" for nowhere."""
    return f"tmux:{pane.session}:{pane.window}.{pane.index}" if pane else tty


def _is_ours(socket: str) -> bool:
    """Whether our user's server may listen there: no question is worth a process where none does."""
    try:
        found = os.stat(socket)  # noqa: PTH116  (called from the loop)
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid()


async def _ask(where: Inside, *words: str) -> str:
    """What the server answers to a command, "" if it does not."""
    loop = asyncio.get_running_loop()
    # -u: the daemon may run without a locale, and then tmux would write _ for all that is not ASCII.
    command = ("tmux", "-u", "-S", where.socket, *words)
    quiet = asyncio.subprocess.DEVNULL
    try:
        transport, answer = await loop.subprocess_exec(
            _Answer, *command, stdin=quiet, stderr=quiet, start_new_session=True
        )
    except (OSError, ValueError):
        return ""
    try:
        async with asyncio.timeout(_SECONDS):
            await answer.complete
    except TimeoutError:
        return ""
    finally:
        transport.close()  # ends it, if it has not
    return answer.text.decode(errors="replace")


class _Answer(asyncio.SubprocessProtocol):
    """The first 4 KiB that a program says; ``complete`` when it has said them, or has exited."""

    def __init__(self) -> None:
        self.text = b""
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.text += data[: _ANSWER - len(self.text)]
        if len(self.text) == _ANSWER:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.complete.done():
            self.complete.set_result(None)


def _understood(where: Inside, answer: str) -> Pane | None:
    """The answer read; None when it is none (a pane that is gone has empty values)."""
    tty, _, rest = answer.partition(" ")
    window, _, rest = rest.partition(" ")
    index, _, session = rest.partition(" ")
    try:
        place = int(window), int(index)
    except ValueError:
        return None
    return Pane(
        socket=where.socket, id=where.pane, session=plain(session, _SESSION), window=place[0], index=place[1], tty=tty
    )
