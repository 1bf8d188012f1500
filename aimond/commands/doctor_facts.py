"""The vocabulary of ``aimond doctor``: what it finds out of the monitor and of each CLI, and how it says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from aimond.agents.settings import Configured

GRPC: Final = "grpc"


class Holder(StrEnum):
    """Who answers at a port."""

    AIMOND = "aimond"
    OTHER = "other"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of config.toml's. ``name``: of the other program that holds it, "" when that is unknown."""

    protocol: str
    number: int
    holder: Holder
    name: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What the monitor says in ``TelemetryHealth``; times in seconds since the epoch, 0 for never."""

    state: str = "never"
    last_record: float = 0
    records: int = 0
    unknown: int = 0
    hooks: int = 0
    last_hook: float = 0

    @classmethod
    def told(cls, health: Mapping[str, Any]) -> Health:
        return cls(
            state=str(health.get("State", "never")),
            last_record=health.get("LastRecord", 0) / 1e6,
            records=health.get("Records", 0),
            unknown=health.get("UnknownEvents", 0),
            hooks=health.get("Hooks", 0),
            last_hook=health.get("LastHook", 0) / 1e6,
        )


@dataclass(frozen=True, slots=True)
class Monitor:
    """The monitor on this bus. ``why``: it is not there; ``config``: config.toml cannot be used, ``refused``: it could
    not be at the last reload; ``listens``: somebody listens at the hook socket ``socket``, which is "" where none is
    wanted. ``broker``: where the monitor asks for what it may not see of processes itself, "" where it may;
    ``answers``: somebody does. ``forward``: the state of ForwardHealth. ``prices``: whose, and how old; ``stale``: too
    old."""

    version: str = ""
    why: str = ""
    config: str = ""
    refused: str = ""
    sessions: int = 0
    ports: tuple[Port, ...] = ()
    socket: str = ""
    listens: bool = False
    broker: str = ""
    answers: bool = False
    forward: str = ""
    forward_error: str = ""
    forward_dropped: int = 0
    prices: str = ""
    stale: str = ""

    @property
    def runs(self) -> bool:
        return not self.why


@dataclass(frozen=True, slots=True)
class Program:
    """A hook's command. ``gone``: a file of it that is not there; ``fault``: why it does not work; else its time."""

    command: str
    gone: str = ""
    fault: str = ""
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Process:
    """A live CLI, by the pid of the process that its user started; times in seconds.

    ``session``: the id of the one it shows; ``before_setup``, ``before_monitor``: it was started earlier than those;
    ``apart``: why these settings are not its own; ``sends_to`` by ``variable``: what its environment says otherwise."""

    pid: int
    age: float
    session: str = ""
    before_setup: bool = False
    before_monitor: bool = False
    apart: str = ""
    sends_to: str = ""
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Cli:
    """One CLI. ``path``: where it is installed; ``files``: its own settings, for people; ``broken``: they cannot be
    read; ``set_by``: files and variables that decide about telemetry; ``after``: what setup would make of it; ``left``:
    what setup would leave, and why; ``hooks_off``: the setting that stops hooks, and where; ``placeless``: it has
    sessions whose process is not known."""

    name: str
    title: str
    path: str = ""
    version: str = ""
    files: str = ""
    broken: str = ""
    now: Configured = field(default_factory=Configured)
    after: Configured = field(default_factory=Configured)
    would_change: bool = False
    left: tuple[str, ...] = ()
    wants_grpc: bool = False
    set_by: tuple[str, ...] = ()
    hooks_off: str = ""
    programs: tuple[Program, ...] = ()
    health: Health | None = None
    processes: tuple[Process, ...] = ()
    placeless: bool = False

    @property
    def is_set_up(self) -> bool:
        """Whether anything of aimond is in its settings."""
        return self.now.arrives or bool(self.now.hooks) or self.now.notify == "aimond"

    @property
    def fits(self) -> bool:
        """Whether its protocol is the one of the port that it is pointed at."""
        return (self.now.protocol == GRPC) == self.wants_grpc

    @property
    def number(self) -> tuple[int, ...]:
        """Its version, to be compared; () when unknown."""
        return tuple(int(part) for part in self.version.split(".") if part.isdigit())


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it; ``now`` in seconds since the epoch."""

    now: float
    monitor: Monitor
    clis: tuple[Cli, ...] = ()


class Severity(StrEnum):
    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``todo``: what to do about it, where that is to be done."""

    severity: Severity
    about: str
    what: str
    todo: str = ""
