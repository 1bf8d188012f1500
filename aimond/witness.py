"""Who is at the other end: connections and hooks to processes of known CLIs, and the end of each of those."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from aimond.agents import Registry
from aimond.agents.agent import Agent
from aimond.hooks.message import Context
from aimond.otlp.record import Peer
from aimond.process import peer as peers
from aimond.process import proc, program, tmux
from aimond.process.watch import Exits

# What a process has sent may still lie in our sockets when its exit is told.
LAST_WORDS: Final = 0.015  # seconds

# Who else sends here, collectors and replays: to find them again must not take a look at every process.
STRANGERS: Final = 8

Started = Callable[[int, str, str], None]
Exited = Callable[[int, int], None]


class Witness:
    """Tells of each process once that it is there (pid, directory, terminal), perhaps again when its terminal is better
    known, and once that it has exited (pid, and when: µs since the epoch)."""

    def __init__(self, registry: Registry, started: Started, exited: Exited) -> None:
        self._agents = tuple(agent for agent in registry.agents if agent.programs)
        self._by_name = registry.by_name
        self._started, self._exited = started, exited
        self._exits = Exits(self._gone)
        self._programs = tuple(frozenset().union(*(agent.programs for agent in self._agents)))
        self._known: dict[int, int] = {}
        self._placeless: set[int] = set()
        self._strangers: deque[int] = deque(maxlen=STRANGERS)
        self._asking: set[asyncio.Task[None]] = set()

    def meet(self, peer: Peer) -> None:
        """Find out whose connection it is."""
        known, strangers = tuple(reversed(self._known)), tuple(self._strangers)
        pid, words = peers.sender(peer.local, peer.remote, known, strangers, self._programs, peer.inode)
        peer.met = pid >= 0  # else it is asked for again with the next request
        agent = next((agent for agent in self._agents if program.fits(words, agent.programs)), None)
        if agent and self._attend(pid):
            peer.pid, peer.comm = pid, min(agent.executables)
        elif pid > 0:
            self._strangers.append(pid)

    def started(self, pid: int) -> int:
        """When a process that is attended to started, in ticks since boot; 0 for any other."""
        return self._known.get(pid, 0)

    def vouch(self, pid: int, agent: Agent) -> bool:
        """Whether that process, which a record names, is one of that agent's: pids of other machines and containers
        are other ones here."""
        if pid in self._known:
            return True
        return proc.started(pid) > 0 and program.is_program(pid, agent.programs) and self._attend(pid)

    def caller(self, agent: str, context: Context) -> int:
        """The CLI that called a hook, 0 if it is not to be found or serves several terminals."""
        found = self._by_name(agent)
        if found is None or not found.programs:
            return 0
        for pid, start in context.ancestors or _line(context.ppid):
            if (not start or proc.is_alive(pid, start)) and program.is_program(pid, found.programs):
                return pid if not _is_shared(pid, found) and self._attend(pid) else 0
        return 0

    def close(self) -> None:
        """Attend to nobody any more."""
        self._exits.close()
        for task in self._asking:
            task.cancel()

    def _attend(self, pid: int) -> bool:
        """Tell of that process, and be told of its end; False when it has ended."""
        start = proc.started(pid)
        if start and self._known.get(pid) == start:
            if pid in self._placeless and (process := proc.read(pid)):
                self._tell(process)
            return True
        if pid in self._known:  # its end was not told, and another has its pid
            self._exits.forget(pid, self._known.pop(pid))
            self._exited(pid, time.time_ns() // 1000)
        process = proc.read(pid)
        if process is None:
            return False
        if not self._exits.watch(pid, process.start):
            return proc.is_alive(pid, process.start)  # nobody will tell of its end: its sessions expire
        self._known[pid] = process.start
        self._tell(process)
        return True

    def _tell(self, process: proc.Process) -> None:
        """Where it is; where nobody can tell at present, that is asked again with its next connection."""
        (self._placeless.discard if process.cwd else self._placeless.add)(process.pid)
        self._started(process.pid, process.cwd, process.tty)
        if inside := tmux.inherited(process.pid):
            task = asyncio.get_running_loop().create_task(self._find_pane(process, inside))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _find_pane(self, process: proc.Process, inside: tmux.Inside) -> None:
        pane = await tmux.find(inside, process.tty)
        if pane and self._known.get(process.pid) == process.start:
            self._started(process.pid, process.cwd, tmux.terminal(process.tty, pane))

    def _gone(self, pid: int, start: int) -> None:
        if self._known.get(pid) == start:
            del self._known[pid]
            self._placeless.discard(pid)
            self._exits.forget(pid, start)
            at = time.time_ns() // 1000
            asyncio.get_running_loop().call_later(LAST_WORDS, self._exited, pid, at)


def _line(pid: int) -> Iterable[tuple[int, int]]:
    """A process and its ancestors, for callers that do not name them."""
    return ((each, 0) for each in (pid, *proc.ancestors(pid))) if pid else ()


def _is_shared(pid: int, agent: Agent) -> bool:
    words = proc.content(pid, "cmdline", 4096).decode(errors="replace").split("\0")
    return not agent.shared.isdisjoint(words)
