"""The live processes of a CLI, one for each that its user started, beside the sessions that they should show."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aimond.agents.agent import Agent
from aimond.process import proc, program

_ENVIRONMENT: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Family:
    """A CLI that a user has started: its ``root``, and all processes of that program below it, launched or forked."""

    root: int
    members: frozenset[int]
    started: float


def families(agent: Agent) -> Iterator[Family]:
    """The CLIs of this user that run, the eldest first. Servers that several terminals share are none, nor is what they
    started."""
    found = {pid for pid in program.running(agent.programs) if _is_ours(pid)}
    shared = {pid for pid in found if agent.shared & set(_words(pid))}
    members: dict[int, set[int]] = {}
    for pid in found - shared:
        above = [ancestor for ancestor in proc.ancestors(pid) if ancestor in found]
        if not shared.intersection(above):
            members.setdefault(above[-1] if above else pid, set()).add(pid)
    for root in sorted(members):
        if start := proc.started(root):
            yield Family(root, frozenset(members[root]), _since_boot(start))


def session_of(family: Family, sessions: Iterable[Mapping[str, Any]]) -> str:
    """The id of a session that lives in it, "" for none."""
    return next((str(session["Id"]) for session in sessions if session["Pid"] in family.members), "")


def environment(pid: int) -> dict[str, str]:
    """What it was started with."""
    pairs = (os.fsdecode(pair).partition("=") for pair in proc.content(pid, "environ", _ENVIRONMENT).split(b"\0"))
    return {key: value for key, separator, value in pairs if separator}


def apart(pid: int, theirs: Mapping[str, str], directory: str) -> str:
    """Why the settings that we see are not those that it reads; "" if they are."""
    own = os.environ
    if proc.link(pid, "ns/net") != proc.link(os.getpid(), "ns/net"):
        return "another network, as in a container"
    for variable in (directory, "HOME") if theirs else ():
        if theirs.get(variable, "") != own.get(variable, ""):
            return f"another {variable}"
        if own.get(variable):
            break
    return ""


def uptime() -> float:
    """Seconds since boot."""
    return float(Path("/proc/uptime").read_text().split()[0])


def started(pid: int) -> float:
    """When it was started, in seconds since boot; 0 if that is not known."""
    return _since_boot(proc.started(pid)) if pid else 0.0


def _since_boot(ticks: int) -> float:
    return ticks / os.sysconf("SC_CLK_TCK")


def _is_ours(pid: int) -> bool:
    process = proc.read(pid)
    return process is not None and process.uid == os.geteuid()


def _words(pid: int) -> list[str]:
    return [os.fsdecode(word) for word in proc.content(pid, "cmdline", 4096).split(b"\0")]
