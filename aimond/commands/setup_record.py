"""What setup did to a file, in ``$XDG_STATE_HOME/aimond/setup``: its bytes before, which are the backup, and after."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def directory() -> Path:
    """Where records are kept."""
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "aimond" / "setup"


@dataclass(frozen=True, slots=True)
class Record:
    """One file. ``before``: without what setup added, None where there was no file; ``made``: directories for it."""

    real: Path
    before: bytes | None
    after: bytes
    made: tuple[Path, ...] = ()

    @property
    def backup(self) -> Path:
        return _place(self.real).with_suffix(".before")


def load(real: Path) -> Record | None:
    """The record of a file; None where there is none, or it is damaged."""
    place = _place(real)
    try:
        told: dict[str, Any] = json.loads(place.with_suffix(".json").read_bytes())
        before = place.with_suffix(".before").read_bytes() if told["existed"] else None
        after = place.with_suffix(".after").read_bytes()
        made = tuple(Path(each) for each in told["made"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Record(real, before, after, made)


def save(record: Record) -> None:
    """Keep a record, for its owner's eyes only: settings may hold keys."""
    place = _place(record.real)
    for each in (place.parent.parent, place.parent):
        each.mkdir(0o700, parents=True, exist_ok=True)
    told = {"path": str(record.real), "existed": record.before is not None, "made": [str(each) for each in record.made]}
    contents = {".before": record.before, ".after": record.after, ".json": json.dumps(told, indent=2).encode()}
    for suffix, content in contents.items():
        if content is None:
            place.with_suffix(suffix).unlink(missing_ok=True)
        else:
            _write(place.with_suffix(suffix), content)


def forget(real: Path) -> None:
    """Remove a record, and directories that hold no other."""
    place = _place(real)
    for suffix in (".json", ".before", ".after"):
        place.with_suffix(suffix).unlink(missing_ok=True)
    with suppress(OSError):
        place.parent.rmdir()
        place.parent.parent.rmdir()


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _place(real: Path) -> Path:
    """``settings.json`` of two CLIs are two records."""
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    return directory() / f"{real.name.strip('.').replace('.', '-')}-{digest}"
