"""The first inputs that the fuzzer makes of its seeds, from the same dice each time: `make fuzz` throws others."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.fuzz.targets import TARGETS

RUNS = 50_000


def test_nothing_that_is_sent_raises_anything() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--runs", str(RUNS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"^\w+: \d+ inputs, nothing raised$", done.stdout, re.MULTILINE)) == len(TARGETS)
