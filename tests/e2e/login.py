"""A real ``systemd --user`` of an unprivileged user with a session bus, in namespaces of its own: see login.sh.

Unprivileged, because root's manager can do what a user's cannot: there, a unit that starts for no user works."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
UID = 4242
UNITS = "/usr/lib/systemd/user"
# What the tests that use it need: programs and files, and the Debian packages that bring them.
NEEDED = {
    "/usr/lib/systemd/systemd": "systemd",
    f"{UNITS}/dbus.socket": "dbus-user-session",
    "/usr/sbin/ip": "iproute2",
}
LIMIT = 30.0  # seconds, for what takes less than one on an idle machine


def possible() -> str:
    """Why there can be no login here; "" if there can."""
    missing = [package for file, package in NEEDED.items() if not Path(file).exists()]
    return f"install {' '.join(missing)}" if missing else "needs root, to make namespaces" if os.geteuid() else ""


def until(holds: Callable[[], Any], what: str, within: float = LIMIT) -> Any:
    """Wait for a condition; what it gives. Fails with its name."""
    end = time.monotonic() + within
    while not (held := holds()):
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(0.02)
    return held


class Login:
    """``with Login() as login:``; everything of the user is gone at the end. ``root``: another system, below that
    directory, which knows nothing of this one. Paths are those of the system of the login."""

    def __init__(self, *readable: Path, root: Path | None = None) -> None:
        self._readable = {Path(sys.base_prefix).resolve(), ROOT, Path(sys.prefix), *readable}
        self._root = root
        self.directory = Path(tempfile.mkdtemp(prefix="aimond-login-", dir="/tmp"))  # pytest's are root's alone
        self.directory.chmod(0o755)
        self.home = self.directory / "home"
        self.runtime = f"/run/user/{UID}"
        self.environment = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            **({} if root else {"PYTHONPATH": str(ROOT)}),
            "XDG_RUNTIME_DIR": self.runtime,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime}/bus",
            "LC_ALL": "C.UTF-8",
        }

    def __enter__(self) -> Self:
        kinds = ("--mount", "--pid", "--fork", "--mount-proc", "--cgroup", "--net", "--kill-child")
        here, of = Path(__file__).parent, (self.directory, str(UID))
        script = (here / "elsewhere.sh", self._root, *of) if self._root else (here / "login.sh", *of, *self._readable)
        self._outer = subprocess.Popen(["unshare", *kinds, *script])
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        self.init = until(lambda: children.read_text().split(), "the first process")[0]
        until(lambda: self.run("systemctl", "--user", "is-active", "basic.target", check=False) == "active", "login")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error and (log := self.seen(self.directory / "systemd.log")).exists():
            print(log.read_text())
        self._outer.kill()
        self._outer.wait()
        group = f"/sys/fs/cgroup/{self.directory.name}"
        clear = f"mount -t cgroup2 none /sys/fs/cgroup; find {group} -depth -type d -exec rmdir {{}} +"
        until(
            lambda: not subprocess.run(["unshare", "--mount", "sh", "-c", clear], capture_output=True).returncode, clear
        )
        shutil.rmtree(self.directory)

    def administer(self, *words: str | Path) -> str:
        """What a command of root prints, on the same machine."""
        command = ["nsenter", "--target", self.init, "--all", "--root", "--wdns=/", *map(str, words)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT * 2)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def command(self, *words: str | Path) -> list[str]:
        """The words as the user's command."""
        enter = ["nsenter", "--target", self.init, "--all", "--root", f"--wdns={self.home}"]
        user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i"]
        return [*enter, *user, *(f"{name}={value}" for name, value in self.environment.items()), *map(str, words)]

    def run(self, *words: str | Path, check: bool = True, **more: Any) -> str:
        """What a command of the user prints, errors too."""
        status, told = self.tried(*words, **more)
        assert not check or status == 0, f"{' '.join(map(str, words))}: {status}\n{told}"
        return told

    def tried(self, *words: str | Path, within: float = LIMIT * 2, **more: Any) -> tuple[int, str]:
        """How a command of the user ends, and what it prints."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(self.command(*words), **pipes, text=True, timeout=within, check=False, **more)
        return done.returncode, done.stdout.strip()

    def start(self, *words: str | Path, **more: Any) -> subprocess.Popen[str]:
        """A command of the user that goes on."""
        return subprocess.Popen(self.command(*words), text=True, **more)

    def seen(self, path: Path) -> Path:
        """Where a path of the login is to be found from outside."""
        return Path(f"/proc/{self.init}/root{path}")

    def write(self, path: Path, content: str) -> None:
        """A file of the user."""
        self.seen(path).parent.mkdir(parents=True, exist_ok=True)
        self.seen(path).write_text(content)
        for each in (path, *path.parents):
            if each == self.directory:
                break
            os.chown(self.seen(each), UID, UID)

    def systemctl(self, *words: str, check: bool = True) -> str:
        """What ``systemctl --user`` says."""
        return self.run("systemctl", "--user", *words, check=check)

    def shows(self, unit: str, *properties: str) -> Mapping[str, str]:
        """Properties of a unit."""
        told = self.systemctl("show", unit, *(f"--property={name}" for name in properties))
        return dict(re.findall(r"^(\w+)=(.*)$", told, re.MULTILINE))

    def kill(self, unit: str, number: signal.Signals) -> None:
        """Send a signal to the main process of a service."""
        self.systemctl("kill", "--kill-whom=main", f"--signal={number.name}", unit)
