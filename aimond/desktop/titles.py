"""Asks a terminal which window it is: gives it another title for a moment, and sees which window bears it."""

from __future__ import annotations

import os
import secrets
import stat
from typing import Final

from aimond.desktop.windows import Windows

# Longer than a frame, which terminals wait for; shorter than anybody would wait.
SECONDS: Final = 0.4

# Sequences of XTerm: OSC 2 sets the title, XTWINOPS 22 and 23 put it away and take it back (foot 1.13, VTE, kitty,
# Alacritty, XTerm). Where these are not known, the old title has to be set.
_PUT_AWAY: Final = "\x1b[22;2t"
_TAKE_BACK: Final = "\x1b[23;2t"


async def ask(windows: Windows, tty: str) -> int:
    """The window that shows that terminal, 0 if none says so. Its program is not disturbed: only the terminal reads
    what is written to a tty."""
    try:
        file = os.open(tty, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        if not _is_ours(file):
            return 0
        text = f"aimond {secrets.token_hex(4)}"
        _write(file, f"{_PUT_AWAY}{_title(text)}")
        found = await windows.titled(text, SECONDS)
        before = windows.known.get(found)
        _write(file, f"{_title(before.title) if before else ''}{_TAKE_BACK}")
    except OSError:
        return 0  # stopped (Ctrl-S), or closed meanwhile
    finally:
        os.close(file)
    return found


def _is_ours(file: int) -> bool:
    found = os.fstat(file)
    return stat.S_ISCHR(found.st_mode) and found.st_uid == os.geteuid() and os.isatty(file)


def _title(text: str) -> str:
    return f"\x1b]2;{''.join(char for char in text if char.isprintable())}\x07"


def _write(file: int, text: str) -> None:
    os.write(file, text.encode(errors="replace"))
