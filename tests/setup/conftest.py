"""An empty home, and files that cannot be written, even by root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    for name in [
        *("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"),
        *(name for name in os.environ if name.startswith(("OTEL_", "GEMINI_", "CLAUDE_", "CODEX_"))),
    ]:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    (path / "work").mkdir(parents=True)
    (path / "bin").mkdir()
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("PATH", str(path / "bin"))
    monkeypatch.chdir(path / "work")
    return Home(path, capsys)


@pytest.fixture
def freeze() -> Iterator[Callable[[Path], None]]:
    """Makes a file or a directory unchangeable, until the test is over."""
    frozen: list[tuple[Path, int]] = []

    def freeze(path: Path) -> None:
        frozen.append((path, path.stat().st_mode))
        path.chmod(path.stat().st_mode & ~0o222)
        if (
            os.geteuid() == 0
            and subprocess.run(["chattr", "+i", path], env={"PATH": "/usr/bin:/bin:/usr/sbin"}).returncode
        ):
            pytest.skip("root can write everything here")

    yield freeze
    for path, mode in frozen:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", path], env={"PATH": "/usr/bin:/bin:/usr/sbin"}, check=True)
        path.chmod(mode)
