"""A CLI's settings file on the disk: read as it is, written whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aimond.agents.settings import Refused

LIMIT: Final = 1_000_000
STORES: Final = ("/nix/store/",)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What was found at a path; ``real`` is the file itself, behind symbolic links; no ``content``: there is none."""

    path: Path
    real: Path
    content: bytes | None

    @property
    def text(self) -> str | None:
        """Its text. Refuses what is not UTF-8."""
        try:
            return None if self.content is None else self.content.decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise Refused(str(self.path), "not UTF-8; mend it first", line) from None


def read(path: Path) -> SettingsFile:
    """The file, if it is there. Refuses what cannot be somebody's settings."""
    try:
        real = path.resolve()
        found = real.stat()
    except (FileNotFoundError, NotADirectoryError):
        return SettingsFile(path, path.resolve(), None)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise Refused(str(path), f"cannot be read: {_why(error)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise Refused(str(path), "not a file")
    if found.st_size > LIMIT:
        raise Refused(str(path), f"larger than {LIMIT:,} bytes, which no settings are")
    try:
        return SettingsFile(path, real, real.read_bytes())
    except OSError as error:
        raise Refused(str(path), f"cannot be read: {_why(error)}") from None


def check(file: SettingsFile, option: str) -> None:
    """Refuse what could not be written. ``option``: what sets it under home-manager."""
    name = str(file.path)
    if str(file.real).startswith(STORES):
        raise Refused(name, f"comes from the Nix store: set `{option}` in home-manager to what is shown above")
    if file.content is not None:
        # Root may write all files; one without any permission to write was made so on purpose.
        if not os.access(file.real, os.W_OK) or not file.real.stat().st_mode & 0o222:
            raise Refused(name, "read-only; allow writing (chmod u+w; for root, chattr -i) and run setup again")
        if _in_place(file):
            return
    directory = next(parent for parent in file.real.parents if parent.exists())
    if not os.access(directory, os.W_OK | os.X_OK):
        raise Refused(name, f"{directory} is read-only; allow writing (chmod u+w) and run setup again")


def write(file: SettingsFile, content: bytes | None) -> list[Path]:
    """Replace the content, or remove the file for None, unless somebody changed it since. The directories it made.

    A new file takes the old one's place at once, with its mode, owner and attributes. Where that would cut a hard link,
    or change the owner, it is written in place."""
    if read(file.path).content != file.content:
        raise Refused(str(file.path), "changed meanwhile; run setup again")
    try:
        if content is None:
            file.real.unlink(missing_ok=True)
            return []
        made = _make(file.real.parent)
        if _in_place(file):
            _overwrite(file.real, content)
        else:
            _replace(file, content)
    except OSError as error:
        raise Refused(str(file.path), f"cannot be written: {_why(error)}") from None
    return made


def _in_place(file: SettingsFile) -> bool:
    if file.content is None:
        return False
    found = file.real.stat()
    return found.st_nlink > 1 or (found.st_uid != os.geteuid() and os.geteuid() != 0)


def _make(directory: Path) -> list[Path]:
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(0o700)
        _give(each, each.parent)
    return missing


def _overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _replace(file: SettingsFile, content: bytes) -> None:
    directory = file.real.parent
    number, name = tempfile.mkstemp(prefix=f".{file.real.name}.", dir=directory)
    try:
        with os.fdopen(number, "wb") as new:
            new.write(content)
            new.flush()
            if file.content is None:
                _give(Path(name), directory)
            else:
                shutil.copystat(file.real, name)
                os.utime(name)
                _give(Path(name), file.real)
            os.fsync(new.fileno())
        Path(name).replace(file.real)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _give(path: Path, like: Path) -> None:
    """Under sudo, what is made in a user's directory is the user's."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
