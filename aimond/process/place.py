"""What is worked on, named after where: the git repository of a directory, or the directory itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from posixpath import normpath
from typing import Final

from aimond.process.plain import plain

_DEPTH: Final = 64
_NAME: Final = 255


def project(directory: str, home: str) -> str:
    """The name of the git work tree around it, as ``git rev-parse --show-toplevel`` says, else its last component.

    A ``home`` that is a repository (of dotfiles) is nobody's project: it would name everything below it that is in no
    other. For work in ``home`` itself both rules say the same. A directory that does not exist has a name, too.
    """
    if not directory.startswith("/"):
        return ""
    directory = normpath(directory)
    top = next((each for each in _upwards(directory, home) if _is_top(each)), directory)
    return plain(top.rpartition("/")[2], _NAME) or "/"


def _upwards(directory: str, home: str) -> Iterator[str]:
    """The directory and those above it, below ``home`` and on the same file system: git looks no further, either."""
    device, end = _identity(directory)[0], _identity(home)
    for _ in range(_DEPTH):
        here = _identity(directory)
        if here[0] != device or here == end or directory == "/":
            return
        yield directory
        directory = directory.rpartition("/")[0] or "/"


def _is_top(directory: str) -> bool:
    """Whether .git is a file (a linked work tree, a submodule) or a repository; an empty directory is neither."""
    mode = _mode(f"{directory}/.git")
    return stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and _mode(f"{directory}/.git/HEAD") != 0)


def _identity(path: str) -> tuple[int, int]:
    """Device and inode, 0 where there is nothing to be seen. (Home may be reached by a link.)"""
    try:
        found = os.stat(path)  # noqa: PTH116  (as the others here: a call per directory, on whatever file system)
    except (OSError, ValueError):
        return 0, 0
    return found.st_dev, found.st_ino


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return 0
