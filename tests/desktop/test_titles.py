"""Asking a terminal which window it is: what it is told, and that all is as before."""

from __future__ import annotations

import os
import pty
from collections.abc import Mapping
from pathlib import Path

from aimond.desktop import titles
from aimond.desktop.windows import Window


class Terminal:
    """The other end of a terminal, as the one window there is: it reads its title off what is written to it."""

    def __init__(self, title: str) -> None:
        self.main, terminal = pty.openpty()
        self.tty = os.ttyname(terminal)
        self._terminal = terminal
        self.known: Mapping[int, Window] = {7: Window(id=7, pid=1, title=title)}
        self.written = b""

    async def titled(self, text: str, seconds: float) -> int:
        self.written = os.read(self.main, 4096)
        return 7 if f"\x1b]2;{text}\x07".encode() in self.written else 0

    def close(self) -> bytes:
        rest = os.read(self.main, 4096)
        os.close(self.main)
        os.close(self._terminal)
        return rest


async def test_the_title_is_put_away_and_taken_back() -> None:
    terminal = Terminal("vim \x1b[2J\x07work")
    assert await titles.ask(terminal, terminal.tty) == 7  # type: ignore[arg-type]
    assert terminal.written.startswith(b"\x1b[22;2t\x1b]2;aimond ")
    assert terminal.close() == b"\x1b]2;vim [2Jwork\x07\x1b[23;2t"


async def test_what_is_no_terminal_is_left_alone(tmp_path: Path) -> None:
    terminal = Terminal("")
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "none", Path("/dev/null")):
        assert await titles.ask(terminal, str(path)) == 0  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "mine"
    assert terminal.written == b""
