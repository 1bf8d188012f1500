"""From a session's process to its window, through tmux clients where there are any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from aimond.core.trail import Client
from aimond.desktop.match import Match, match
from aimond.desktop.windows import Processes, Window

# tmux in tmux, and no deeper.
_DEPTH: Final = 3
_CLIENTS: Final = 16


class Found(Struct, frozen=True):
    """A window, and the way to it: each pane's process with the client to show it, the outermost last."""

    match: Match
    panes: tuple[tuple[int, Client], ...] = ()

    @property
    def shows(self) -> bool:
        """Whether all those clients show the right pane already."""
        return all(client.shows for _, client in self.panes)


async def find(
    pid: int,
    windows: Mapping[int, Window],
    processes: Processes,
    bound: Mapping[int, int],
    words: Iterable[str],
    panes: tuple[tuple[int, Client], ...] = (),
) -> Found | None:
    """The window of a process, None if there is none. A process in tmux is shown where a client of its server is: the
    first client that has a window counts."""
    clients = await processes.clients(pid) if len(panes) < _DEPTH else None
    if clients is None:
        matched = match(processes.trail(pid), windows, lambda of: processes.children(of), bound, words)
        return Found(matched, panes) if matched else None
    for client in clients[:_CLIENTS]:
        found = await find(client.pid, windows, processes, bound, words, (*panes, (pid, client)))
        if found:
            return found
    return None
