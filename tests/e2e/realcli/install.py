"""Installs the pinned versions of the CLIs with npm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.e2e.realcli.cli import Cli


def default_cache() -> Path:
    """Where the CLIs are installed, each in a directory named after CLI and version."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realcli"


def install(cli: Cli, cache: Path) -> bool:
    """Install the pinned version unless it is there; false if npm could not."""
    if cli.installed(cache):
        return True
    directory = cli.directory(cache)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "package.json").write_text('{"private": true}\n')
    npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", f"{cli.package}@{cli.version}"]
    done = subprocess.run(npm, cwd=directory, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0 and cli.installed(cache)
