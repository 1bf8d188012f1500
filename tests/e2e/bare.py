"""Bare systems of Debian as debootstrap makes them, each a directory: for what has to be shown elsewhere than here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APT = ("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq", "-y", "--no-install-recommends")


def _run(*words: str | Path) -> str:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


def administer(root: Path, *words: str | Path) -> str:
    """What a command of root prints there; it has the network of this machine."""
    apart = ("unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc", "chroot", root)
    return _run(*apart, *words)


@contextmanager
def system(suite: str, *packages: str) -> Iterator[Path]:
    """A minimal system of that release, with those packages; one's own. The first time it has to be fetched."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aimond-debian"
    kept = caches / "-".join((suite, *packages))
    if not kept.is_dir():
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=caches) as directory:
            new = Path(directory) / "root"
            _run("debootstrap", "--variant=minbase", suite, new)
            shutil.copy("/etc/resolv.conf", new / "etc")
            administer(new, *APT, "update")
            if packages:
                administer(new, *APT, "install", *packages)
            new.rename(kept)
    with tempfile.TemporaryDirectory(prefix="aimond-system-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        _run("cp", "--archive", kept, f"{directory}/root")
        yield Path(directory) / "root"
