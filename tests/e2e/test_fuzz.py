"""A minute of fuzzing, over all targets."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.fuzz.targets import TARGETS

SECONDS = 60 // len(TARGETS)


def test_nothing_that_is_sent_raises_anything() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"^\w+: \d+ inputs, nothing raised$", done.stdout, re.MULTILINE)) == len(TARGETS)
