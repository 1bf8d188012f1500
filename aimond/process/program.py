"""Which program a process runs: by its name, its executable, and the script if that is an interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from aimond.process import proc
from aimond.process.asked import asked

_COMMAND_LINE: Final = 16384

_INTERPRETERS: Final = frozenset({"node", "nodejs", "bun", "deno", "python", "python3"})
# Subcommands of bun and deno that come before the script.
_RUN: Final = frozenset({"run"})
# Options that are followed by a word which is not the script (node 24 --help, python 3.13 --help).
_WITH_VALUE: Final = frozenset(
    {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--title", "-W", "-X"}
)
# Options that come instead of a script, also as the last of several: -pe, -Ic.
_INSTEAD: Final = re.compile("-|--eval|--print|-[^-WX]*[cemp]")


@asked(())
def programs(pid: int) -> tuple[str, ...]:
    """The words by which its program can be recognised: executable, comm, and the script that an interpreter runs.

    A script is given as the command line names it and, if that is a link, as what it leads to. npm starts Gemini CLI
    0.61.0 as ``node .../node_modules/.bin/gemini``, which leads to ``.../@google/gemini-cli/bundle/gemini.js``.
    """
    return tuple(_words(pid))


def fits(words: Iterable[str], names: frozenset[str]) -> bool:
    """Whether one of these words is a program of these names.

    A plain name is all of the word, or its last component. A name with a slash is whole components inside of a path:
    ``@google/gemini-cli``. So /home/claude/collector.js is no claude.
    """
    inside = [f"/{name}/" for name in names if "/" in name]
    return any(word.rpartition("/")[2] in names or any(each in word for each in inside) for word in words)


def is_program(pid: int, names: frozenset[str]) -> bool:
    """Whether the process runs a program of these names, see ``fits``."""
    return fits(programs(pid), names)


def running(names: frozenset[str]) -> Iterator[int]:
    """The processes that run such a program, the newest first; looked for as far as one asks."""
    for pid in reversed(proc.pids()):
        if fits(_words(pid), names):
            yield pid


def _words(pid: int) -> Iterator[str]:
    # An update replaces the executable of a running CLI.
    executable = proc.link(pid, "exe").removesuffix(" (deleted)")
    if executable:
        yield executable
    # Where the installer of Claude Code 2.1.330 keeps it, the executable is called 2.1.330 and only the comm says
    # claude. As a script (2.0.76) it overwrites its command line, and the comm is all there is.
    comm = proc.content(pid, "comm", 64).decode(errors="replace").removesuffix("\n")
    if comm:
        yield comm
    if _is_interpreter(executable):
        yield from _script(pid)


def _is_interpreter(executable: str) -> bool:
    name = executable.rpartition("/")[2]
    return name in _INTERPRETERS or name.startswith("python3.")


def _script(pid: int) -> Iterator[str]:
    raw = proc.content(pid, "cmdline", _COMMAND_LINE)
    words = raw.split(b"\0")[1:-1]  # the last one is empty, or cut
    script = script_among([os.fsdecode(word) for word in words])
    if not script:
        return
    path = Path(proc.link(pid, "cwd"), script)
    yield str(path)
    try:
        leads_to = path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        return
    if leads_to != path:
        yield str(leads_to)


def script_among(arguments: list[str]) -> str:
    """The script among an interpreter's arguments, "" when there is none."""
    words = iter(arguments)
    for word in words:
        if _INSTEAD.fullmatch(word):
            return ""
        if word == "--":
            return next(words, "")
        if word in _WITH_VALUE:
            next(words, "")
        elif word and not word.startswith("-") and word not in _RUN:
            return word
    return ""
