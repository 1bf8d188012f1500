"""What every CLI under test has: package, configuration files, command lines, screens, session files."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.realcli.mock_api import MockApi

DUMMY_KEY = "dummy-key"
RETRIES = 2


@dataclass(frozen=True)
class Otlp:
    """Where the telemetry goes: OTLP/HTTP to `http`, or OTLP/gRPC to `grpc` (HOST:PORT) when that is set."""

    http: str = ""
    grpc: str = ""
    json: bool = False


@dataclass(frozen=True)
class Session:
    """A session as the CLI itself has recorded it."""

    session_id: str
    cwd: str
    file: str
    kind: str = "main"


class Cli(ABC):
    """One of the CLIs under test."""

    name: str
    package: str
    version: str
    mock: type[MockApi]
    ready: str  # screen patterns
    approval: str
    answers: Mapping[str, bytes]  # keys for the permission question, by the driver's mark
    quit_command: str
    dialogs: tuple[tuple[str, tuple[bytes, ...]], ...] = ()  # to get rid of before `ready`
    flush_s = 1.0  # how long an exported record may take after the exit, by a process that lives on

    def directory(self, cache: Path) -> Path:
        return cache / f"{self.name}-{self.version}"

    def executable(self, cache: Path) -> Path:
        return self.directory(cache) / "node_modules" / ".bin" / self.name

    def installed(self, cache: Path) -> bool:
        manifest = self.directory(cache) / "node_modules" / self.package / "package.json"
        return (
            self.executable(cache).exists()
            and manifest.exists()
            and json.loads(manifest.read_text())["version"] == self.version
        )

    def environment(self, home: Path, mock_url: str) -> dict[str, str]:
        """A clean environment, with what points this CLI to the mock."""
        node = shutil.which("node")
        path = [str(Path(node).resolve().parent)] if node else []
        return {
            "PATH": ":".join([*path, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            **self.provider_environment(home, mock_url),
        }

    @abstractmethod
    def provider_environment(self, home: Path, mock_url: str) -> dict[str, str]:
        """What points this CLI to the mock, as far as the environment can."""

    def configure(self, home: Path, mock_url: str, projects: list[Path], otlp: Otlp | None, extra: str | None) -> None:
        """Write the CLI's files in HOME: the provider part; telemetry if `otlp`; then settings of the caller."""
        self.set_provider(home, mock_url, projects)
        if otlp:
            self.set_telemetry(home, otlp)
        if extra:
            self.set_extra(home, extra)

    @abstractmethod
    def set_provider(self, home: Path, mock_url: str, projects: list[Path]) -> None:
        """Write what makes the CLI start without questions, and use the mock."""

    @abstractmethod
    def set_telemetry(self, home: Path, otlp: Otlp) -> None:
        """Write what a user writes to have telemetry."""

    @abstractmethod
    def set_extra(self, home: Path, text: str) -> None:
        """Merge the caller's settings, in the CLI's own format."""

    def trust_hooks(self, home: Path) -> None:
        """Let it run the hooks in its settings, as if it had asked its user, where it does."""
        return

    def trusts_hooks(self, home: Path) -> bool:
        """Whether it runs the hooks in its settings: its user was asked, or need not be."""
        return True

    @abstractmethod
    def headless(self, prompt: str, *, resume: bool = False, tools: bool = False, agents: bool = False) -> list[str]:
        """Arguments for one prompt without a terminal; `tools`: the shell tool needs no approval."""

    def interactive(self) -> list[str]:
        """Arguments for the full-screen interface, asking before it runs commands."""
        return []

    @abstractmethod
    def sessions(self, home: Path, since: float) -> Iterator[Session]:
        """Sessions recorded in HOME by files modified after `since`."""

    @staticmethod
    def recent(home: Path, pattern: str, since: float) -> list[Path]:
        """The files of that pattern modified after `since` (seconds since the epoch), oldest first."""
        found = [(path.stat().st_mtime, path) for path in home.glob(pattern) if path.is_file()]
        return [path for modified, path in sorted(found) if modified >= since - 1]
