"""``aimond install``: a service of this user's desktop, by systemd and D-Bus; and not any more."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from aimond.commands import complain, hook, install_files, setup_record
from aimond.config import ConfigError, default_path, load
from aimond.otlp.ports import PortInUse, listen
from aimond.sections import Otlp

# Exit statuses of systemd.exec(5), of what needs a namespace: CAPABILITIES, NAMESPACE, USER.
_REFUSED: Final = frozenset({"217", "218", "226"})
UNITS: Final = ("aimond.socket", "aimond-broker.socket", "aimond.service")
PATIENCE: Final = 60.0  # seconds for a command; a start may wait for another that stops
_BUS: Final = "org.freedesktop.DBus"
# The session bus reads its services when it starts, and when it is told to. The first of these that is there tells it.
_BUS_READS: Final = (
    ("busctl", "--user", "--timeout=5", "call", _BUS, "/org/freedesktop/DBus", _BUS, "ReloadConfig"),
    ("dbus-send", "--session", "--print-reply", f"--dest={_BUS}", "/org/freedesktop/DBus", f"{_BUS}.ReloadConfig"),
)
_WITHOUT_SYSTEMD: Final = (
    "no systemd for this user: D-Bus starts aimond when a program asks for it; for telemetry and hooks let the session"
    " start it, in Sway's config: exec aimond run"
)
_PACKAGED: Final = "this aimond came as a package, with its files where they belong"


@complain
def run(arguments: argparse.Namespace) -> int:
    """Install, or remove. 1: a step failed, and is named; 2: config.toml is wrong."""
    try:
        config = load()
    except ConfigError as error:
        return _fail(str(error), 2)
    program = _program()
    if not os.access(program, os.X_OK):
        return _fail(f"{program} is missing; install the package first: pipx install aimond")
    files = {data_home() / place: content for place, content in install_files.wanted(program.parent, config).items()}
    job = _Job(dry=arguments.dry_run)
    try:
        if arguments.remove:
            _remove(job, files)
        else:
            _install(job, files, config.otlp, start=not arguments.no_start)
    except OSError as error:
        return _fail(str(error))
    return job.status


class _Job:
    """Does, says what it does, and remembers whether that went well."""

    def __init__(self, *, dry: bool) -> None:
        self.dry = dry
        self.status = 0

    def say(self, text: str) -> None:
        """One line to the user; a dry run marks it."""
        print(f"{'would: ' if self.dry else ''}{text}")

    def ran(self, *command: str, fatal: bool = True) -> bool:
        """Run a program of the system; its own words say what went wrong."""
        self.say(f"run {' '.join(command)}")
        if self.dry:
            return True
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
            why = done.stderr.strip() if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            done, why = None, str(error)
        if (done is None or done.returncode) and fatal:
            self.status = _fail(f"{' '.join(command)}: {why}")
        return done is not None and not done.returncode


def _install(job: _Job, files: dict[Path, bytes], otlp: Otlp, *, start: bool) -> None:
    changed = [path for path, content in files.items() if not path.is_file() or path.read_bytes() != content]
    for path in files:
        job.say(f"{'write' if path in changed else 'leave as it is:'} {path}")
        if path in changed and not job.dry:
            _write(path, files[path])
    if data_home() / install_files.PORTS in files:
        print(_PACKAGED)
    _tell_the_bus(job)
    if not has_systemd():
        print(_WITHOUT_SYSTEMD)
        return
    job.ran("systemctl", "--user", "daemon-reload")
    if job.ran("systemctl", "--user", "enable", "--quiet", *UNITS) and start:
        _start(job, otlp, anew=any(path.is_relative_to(data_home() / "systemd") for path in changed))


def _start(job: _Job, otlp: Otlp, *, anew: bool) -> None:
    if anew:  # a socket of other ports can only be had by a new one
        job.ran("systemctl", "--user", "stop", *UNITS, fatal=False)
    if not job.ran("systemctl", "--user", "is-active", "--quiet", UNITS[0], fatal=False) and (why := _taken(otlp)):
        job.status = _fail(why)
        return
    job.ran("systemctl", "--user", "reset-failed", *UNITS, fatal=False)  # it may have been tried too often
    start = ("systemctl", "--user", "start", *UNITS)
    runs = job.ran(*start, fatal=False)
    if not runs:
        _without_namespaces(job)
        runs = job.ran(*start)
    if runs:
        print("next: aimond setup, which points the CLIs at it")
    else:
        print("what went wrong: systemctl --user status aimond.socket aimond.service", file=sys.stderr)


def _without_namespaces(job: _Job) -> None:
    """Ask for none from now on, if that was what failed: it runs with fewer restrictions rather than not at all."""
    ask = ("systemctl", "--user", "show", "--property=ExecMainStatus", "--value", UNITS[-1])
    status = subprocess.run(ask, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout.strip()  # noqa: S603
    if status not in _REFUSED:
        return
    path = data_home() / install_files.OPEN
    job.say(f"write {path}: systemd may make no namespaces here, so the service goes without (status {status})")
    _write(path, install_files.OPENED)
    job.ran("systemctl", "--user", "daemon-reload")
    job.ran("systemctl", "--user", "stop", *UNITS, fatal=False)
    job.ran("systemctl", "--user", "reset-failed", *UNITS, fatal=False)


def _taken(otlp: Otlp) -> str:
    """Which port cannot be had, and what to do then; "" if all can."""
    for is_on, port, key in ((otlp.http, otlp.http_port, "http_port"), (otlp.grpc, otlp.grpc_port, "grpc_port")):
        try:
            for listener in listen(otlp.bind, port) if is_on else ():
                listener.close()
        except PortInUse as taken:
            return f"{taken}; choose another one with `{key}` under [otlp] in config.toml, then run this again"
    return ""


def _remove(job: _Job, files: dict[Path, bytes]) -> None:
    systemd = has_systemd()
    if systemd:
        job.ran("systemctl", "--user", "disable", "--quiet", "--now", *UNITS, fatal=False)
    for path in filter(Path.is_file, (*files, data_home() / install_files.OPEN)):
        job.say(f"remove {path}")
        if not job.dry:
            path.unlink()
            _prune(path.parent)
    _tell_the_bus(job)
    if systemd:
        job.ran("systemctl", "--user", "daemon-reload")
        job.ran("systemctl", "--user", "reset-failed", *UNITS, fatal=False)
    if not job.dry:
        with suppress(OSError):
            Path(hook.place()).parent.rmdir()
    for path in filter(Path.exists, _kept()):
        print(f"kept: {path}")
    if any(setup_record.directory().glob("*")):
        print("the CLIs may still point at aimond: aimond setup --remove takes that back")


def _tell_the_bus(job: _Job) -> None:
    command = next((each for each in _BUS_READS if shutil.which(each[0])), None)
    if command:
        job.ran(*command, fatal=False)  # without a bus there is nobody to tell


def _write(path: Path, content: bytes) -> None:
    if path.is_symlink():
        raise OSError(f"{path} is a link: whoever made it, such as home-manager, installs aimond here")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.chmod(0o644)
    new.replace(path)


def _prune(directory: Path) -> None:
    """Remove what is empty now, up to the data home."""
    with suppress(OSError):
        while directory != data_home():
            directory.rmdir()
            directory = directory.parent


# -- where things are -------------------------------------------------------------------------------


def data_home() -> Path:
    """``$XDG_DATA_HOME``: where systemd, D-Bus, desktops, man and shells look for a user's files."""
    home = os.environ.get("XDG_DATA_HOME")
    return Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "share"


def has_systemd() -> bool:
    """Whether a manager of this user runs."""
    if not shutil.which("systemctl"):
        return False
    ask = ("systemctl", "--user", "show", "--property=Version")
    try:
        return not subprocess.run(ask, capture_output=True, timeout=PATIENCE, check=False).returncode  # noqa: S603
    except subprocess.TimeoutExpired:
        return False


def _program() -> Path:
    """The ``aimond`` that was called, by the name it was called by: pipx moves what that leads to."""
    called = Path(sys.argv[0]).absolute()
    return called if called.name == "aimond" else Path(sys.executable).with_name("aimond")


def _kept() -> Iterable[Path]:
    """What is the user's: settings, history, and the backups of ``aimond setup``."""
    return (default_path().parent, setup_record.directory().parent)


def _fail(message: str, status: int = 1) -> int:
    print(f"aimond: {message}", file=sys.stderr)
    return status
