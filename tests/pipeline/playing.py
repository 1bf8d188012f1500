"""The real CLIs, played to a desktop of the pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.scenes import Played, Scene

# A tool, a failure that the CLI got over, and one it did not. Codex (0.169.0) sends no span of the last one.
SCENES = [
    Scene(cli, name) for name in ("tool", "error500-then-ok", "error429") for cli in ("gemini", "claude", "codex")
]


def play(to: str, out: Path, scenes: Sequence[Scene] = SCENES) -> list[Played]:
    """What came of each. Raises AssertionError when a CLI cannot be installed, or does not do what the scene says."""
    for name in sorted({scene.cli for scene in scenes}):
        assert install(CLIS[name], default_cache()), f"npm could not install {CLIS[name].package}"

    def one(scene: Scene) -> Played:
        place = out / str(scene)
        command = [sys.executable, "-m", "tests.e2e.realcli", "run", scene.cli, scene.scenario, "--otlp", to]
        ran = subprocess.run([*command, "--out", str(place)], capture_output=True, text=True)
        assert ran.returncode == 0, f"{scene}: {ran.stdout}{ran.stderr}"
        return Played(scene, json.loads((place / "truth.json").read_text()))

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as room:
        return list(room.map(one, scenes))
