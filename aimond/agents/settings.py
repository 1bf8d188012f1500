"""What a CLI's own settings must hold for aimond to hear of it: the vocabulary of ``agents/*/settings.py``.

All of it is pure: texts of files in, texts of files out. ``commands/setup.py`` reads and writes them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

# Texts by file name, as in ``CliSettings.files``; a file that does not exist is not there.
Files = Mapping[str, str]

# Seconds for a hook that hangs; Codex CLI shortens more than 3 for SessionEnd, and says so at every start (0.169.0).
TIMEOUT: Final = 3
# How the token is sent. The variable is OpenTelemetry's, for OTLP over HTTP and gRPC alike
# (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
TOKEN: Final = "x-aimond-token"  # noqa: S105  (a name)
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
# Whose hook it is, as the hook program is told.
AGENTS: Final = frozenset({"claude", "claude-code", "codex", "gemini", "gemini-cli"})
SCRIPT: Final = "aimond/commands/hook.py"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
OPERATORS: Final = frozenset({";", "&", "&&", "|", "||", ">", ">>", "<"})
# Around the program, which takes the shell's place: its parent is then the CLI. Without the file it does nothing, as
# Python would exit with 2 then, by which a hook tells Claude Code to refuse the prompt.
GUARD: Final = "[ ! -r {script} ] || exec {program}"


class Refused(Exception):  # noqa: N818  (says what to do)
    """A file is left untouched; the message says what is wrong with it, and what to do."""

    def __init__(self, file: str, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.file, self.line = file, line


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier setup did: the files without it, and with it."""

    before: Files
    after: Files


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings shall say. ``http``, ``grpc``: aimond's endpoints, "" where it does not receive; ``program``:
    the hook program with its arguments; ``token``: what telemetry must carry, "" for nothing; ``others``: files that
    the CLI reads too, by ``CliSettings.others``."""

    http: str
    grpc: str
    program: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    others: Files = field(default_factory=dict)
    version: tuple[int, ...] = ()
    past: Past | None = None
    token: str = ""

    @property
    def command(self) -> str:
        """The hook program as a line for the shell."""
        *_, script, _cli = self.program
        return GUARD.format(script=shlex.quote(script), program=shlex.join(self.program))

    @property
    def headers(self) -> str:
        """What the headers' variable has to hold, "" for nothing."""
        return f"{TOKEN}={self.token}" if self.token else ""

    def is_admitted(self, headers: object) -> bool:
        """Whether requests with these headers, written as in that variable, carry the token, where one is asked for."""
        told = [unquote(pair).strip().lower() for pair in str(headers).split(",")]
        ways = f"{TOKEN}={self.token}", f"authorization=bearer {self.token}"
        return not self.token or any(way.lower() in told for way in ways)

    def is_here(self, url: object) -> bool:
        """Whether that is one of aimond's endpoints, whatever its path."""
        return isinstance(url, str) and _place(url) in {_place(end) for end in (self.http, self.grpc) if end}

    def speaks_grpc(self, url: str) -> bool:
        """Whether it is the one for gRPC."""
        return bool(self.grpc) and _place(url) == _place(self.grpc)


def _place(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host = parts.hostname or ""
        return LOOPBACK[0] if host in LOOPBACK else host, parts.port
    except ValueError:
        return url, None


@dataclass(frozen=True, slots=True)
class Hook:
    """An event that a hook is installed for: in tools that ``matcher`` names, by CLIs of ``since`` and newer."""

    event: str
    matcher: str = ""
    since: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """New texts of the files that change; what was left as the user has it, and why; what is left to the user."""

    files: Files
    left: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configured:
    """What the settings say. ``endpoint``: where logs go, "" if nowhere, whether that is aimond (``arrives``), and
    whether they carry its token (``admitted``); ``hooks``: events with aimond's hook, and its commands;
    ``other_hooks``: events with hooks of others; ``untrusted``: events whose hook the CLI will not run before its user
    has agreed; ``notify``: "aimond", "other" or ""."""

    enabled: bool = False
    endpoint: str = ""
    protocol: str = ""
    arrives: bool = False
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other_hooks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    notify: str = ""
    admitted: bool = True


@dataclass(frozen=True, slots=True)
class CliSettings:
    """A CLI's settings. ``name``: its word on the command line; ``variable``: moves its directory, ``home`` otherwise,
    and ``below`` is then in it; ``others``: files it reads too, with {home}, {base} and {cwd}; ``nix``: what sets them
    under home-manager; ``tells``: what it can and cannot tell then."""

    name: str
    title: str
    variable: str
    below: str
    home: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    nix: str
    versioned: bool
    tells: tuple[str, ...]
    add: Callable[[Files, Wanted], Edit]
    remove: Callable[[Files, Wanted], Edit]
    reading: Callable[[Files, Wanted], Configured]


def is_ours(command: object) -> bool:
    """Whether a hook's command, or a list of words, runs aimond's program and nothing else: of any installation."""
    if isinstance(command, str):
        try:
            words = shlex.split(command)
        except ValueError:
            return False
    elif isinstance(command, list | tuple):
        words = [str(word) for word in command]
    else:
        return False
    if words[:3] == ["[", "!", "-r"] and words[4:7] == ["]", "||", "exec"]:
        words = words[7:]
    if len(words) < 2 or any(word in OPERATORS or word.endswith(";") for word in words) or words[-1] not in AGENTS:
        return False
    return words[-2].endswith(SCRIPT) or (words[-2] == "hook" and words[-3:-2] != [] and _is_aimond(words[-3]))


def _is_aimond(word: str) -> bool:
    return word.rpartition("/")[2] == "aimond"


def is_off(value: object) -> bool:
    """Whether a switch says no."""
    return str(value).strip().lower() in ("0", "false", "no", "off", "")


def shown(url: str) -> str:
    """An endpoint fit to print: without whatever secrets it may hold."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else url.partition("?")[0]
    except ValueError:
        return "an address that cannot be read"
