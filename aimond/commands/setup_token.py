"""The token that telemetry must carry: making one, and keeping it from the eyes of others."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aimond.agents.settings import TOKEN
from aimond.config import TOKEN_NAME, default_path, load, secret

BYTES: Final = 32
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def make(*, dry: bool) -> str:
    """Put one beside config.toml, unless there is one already; what to say of that. Raises ConfigError or OSError."""
    otlp = load().otlp
    if otlp.token or otlp.token_file:
        return f"there is a token already: {otlp.token_file or '`token` in config.toml'}"
    file = default_path().with_name(TOKEN_NAME)
    if not dry:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{secrets.token_urlsafe(BYTES)}\n")
    return f"a token {'would be' if dry else 'is'} in {file}; restart the monitor, which asks for it from then on"


def known_to(url: str) -> str:
    """What to show the receiver at that URL: the token of config.toml where that is this user's monitor, "" to others.

    Raises ConfigError."""
    otlp = load().otlp
    return secret(otlp) if urlsplit(url).hostname in _LOCAL | otlp.names else ""


def hidden(line: str, token: str) -> str:
    """A line fit to print."""
    return line.replace(token, "…") if token else line


def exposed(files: Iterable[Path]) -> Iterator[str]:
    """What to say of settings that hold the token, and that others can read."""
    for file in files:
        with suppress(OSError):
            if file.stat().st_mode & 0o077 and TOKEN in file.read_text(errors="replace"):
                yield f"others can read the token: chmod 600 {file}"
