"""A HOME whose CLI `aimond setup` has pointed at a live aimond."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

from tests.e2e.monitor import Live
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache


@contextlib.asynccontextmanager
async def home(cli: str, live: Live) -> AsyncIterator[Path]:
    """A new HOME, removed at the end. Not below /tmp, where some CLIs behave differently."""
    cache = default_cache()
    with tempfile.TemporaryDirectory(prefix="home-", dir=cache, ignore_cleanup_errors=True) as name:
        programs = CLIS[cli].executable(cache).parent  # of its version depends which hooks are safe
        own = {key: value for key, value in os.environ.items() if key.startswith("PYTHON")}
        environment = {**own, "HOME": name, "PATH": f"{programs}:{os.environ['PATH']}", **live.places}
        command = [sys.executable, "-m", "aimond", "setup", cli]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        yield Path(name)
