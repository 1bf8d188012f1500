"""What ``aimond doctor`` looks at outside of the CLIs' settings: versions, ports, the hook socket, hook programs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from itertools import dropwhile
from pathlib import Path
from typing import Final

from aimond.commands.doctor_facts import Holder, Port, Program
from aimond.commands.doctor_findings import SLOW
from aimond.process import asked, peer, proc
from aimond.sections import Otlp

HOST: Final = "127.0.0.1"
WAIT: Final = 1.0  # seconds, for an answer from this machine
PATIENCE: Final = 10.0  # seconds, for a program that is started
TRIES: Final = 3  # of a hook that seems slow: the first start of a day is
UNAUTHENTICATED: Final = 16  # google.rpc.Code
ACCEPTED: Final = 0.3  # seconds, until whoever listens has taken a connection
_LISTENS: Final = 0x10000  # __SO_ACCEPTCON of linux/include/uapi/linux/net.h


def version(program: str) -> str:
    """The version that a program says it has, "" if it says none."""
    try:
        told = subprocess.run(  # noqa: S603
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    number = re.search(r"\b\d+\.\d+\.\d+\b", told.stdout.decode(errors="replace"))
    return number.group() if number else ""


# -- where the monitor listens ------------------------------------------------------------------------


def ports(otlp: Otlp) -> tuple[tuple[Port, ...], int]:
    """Who answers at the ports of config.toml, and the pid of the aimond among them, 0 if there is none."""
    wanted = (("HTTP", otlp.http, otlp.http_port), ("gRPC", otlp.grpc, otlp.grpc_port))
    found, aimond = [], 0
    for protocol, is_on, number in wanted:
        if is_on and number:
            holder, pid = _holder(protocol, number)
            found.append(Port(protocol, number, holder, proc.called(pid)))
            aimond = aimond or (pid if holder is Holder.AIMOND else 0)
    return tuple(found), aimond


def _holder(protocol: str, number: int) -> tuple[Holder, int]:
    try:
        connection = socket.create_connection((HOST, number), WAIT)
    except OSError:
        return Holder.NOBODY, 0
    with closing(connection):
        pid = _accepted_by(connection) or peer.listener(number)
    is_aimond = _is_healthy(number) if protocol == "HTTP" else _is_aimond(pid)
    return (Holder.AIMOND if is_aimond else Holder.OTHER), pid


def _accepted_by(connection: socket.socket) -> int:
    """The process at the other end, 0 if it is nobody's that we may see, or keeps no connection."""
    local, remote = connection.getsockname(), connection.getpeername()
    until = time.monotonic() + ACCEPTED
    while not (pid := peer.pid_of(local, remote)) and time.monotonic() < until:
        time.sleep(0.02)
    return pid


def _is_healthy(number: int) -> bool:
    connection = HTTPConnection(HOST, number, timeout=WAIT)
    try:
        connection.request("GET", "/healthz")
        answer = json.loads(connection.getresponse().read(4096))
        if not isinstance(answer, dict):
            return False
        asks_for_its_token = answer.get("code") == UNAUTHENTICATED and "aimond" in str(answer.get("message"))
        return asks_for_its_token or (answer.get("status") == "ok" and "queued" in answer)
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _is_aimond(pid: int) -> bool:
    """Whether it was started as ``aimond run``, however that is found."""
    words = [os.fsdecode(word) for word in proc.content(pid, "cmdline", 4096).split(b"\0")] if pid else []
    names = [word.removesuffix("/__main__.py").rpartition("/")[2] for word in words]
    return "aimond" in names and "run" in words[names.index("aimond") + 1 :]


def broker(monitor: int) -> tuple[str, bool]:
    """Where that monitor asks what it may not see of processes itself, "" where it may; and whether it is told."""
    (place,) = proc.environment(monitor, "AIMOND_BROKER")
    if not place:
        return "", False
    line = asked.Line(place)
    with closing(line), suppress(asked.Unanswered):
        return place, line.ask("directory", os.getpid(), within=WAIT) == proc.directory(os.getpid())
    return place, False


def listens(path: str) -> bool:
    """Whether somebody listens at that socket. It is not asked: whoever listens counts what is said to it."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return False
        rows = Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return False
    # columns: Num RefCount Protocol Flags Type St Inode Path
    columns = (row.split(None, 7) for row in rows)
    return any(len(row) == 8 and row[7] == path and int(row[3], 16) & _LISTENS for row in columns)


# -- hook programs ------------------------------------------------------------------------------------


def program(command: str) -> Program:
    """Whether a hook's command works, with nothing to tell and nobody to tell it to; and how long that takes."""
    if gone := _gone(command):
        return Program(command, gone=gone)
    with tempfile.TemporaryDirectory(prefix="aimond-doctor-") as nowhere:
        environment = {**os.environ, "XDG_RUNTIME_DIR": nowhere}
        fault, best = "", PATIENCE
        for _ in range(TRIES):
            fault, seconds = _run(command, environment)
            best = min(best, seconds)
            if fault or best <= SLOW:
                break
    return Program(command, fault=fault, seconds=best)


def _gone(command: str) -> str:
    """A file that the command needs and that is not there."""
    words = shlex.split(command)
    words = words[words.index("exec") + 1 :] if "exec" in words else words
    words = list(dropwhile(lambda word: "=" in word, words))  # variables, set for the program
    if shutil.which(words[0]) is None:
        return words[0]
    script = words[-2]
    return script if "/" in script and not os.access(script, os.R_OK) else ""


def _run(command: str, environment: Mapping[str, str]) -> tuple[str, float]:
    """As CLIs run it. Why it failed, "" if it did not, and the seconds that took."""
    start = time.perf_counter()
    try:
        done = subprocess.run(  # noqa: S603  (what the CLI runs at every prompt)
            ["/bin/sh", "-c", command], env=environment, input=b"", capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {PATIENCE:.0f} s", PATIENCE
    except OSError as error:
        return str(error), 0.0
    seconds = time.perf_counter() - start
    if done.returncode == 0:
        return "", seconds
    said = ""
    with suppress(IndexError):
        said = f": {done.stderr.decode(errors='replace').strip().splitlines()[-1]}"
    return f"exit status {done.returncode}{said}", seconds
