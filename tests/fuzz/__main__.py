"""``python -m tests.fuzz [TARGET …] [--seconds N | --runs N]``: atheris on what strangers' bytes reach, a process for
each target. A number of runs begins with the same dice: mostly, not always, the inputs are the same then.

Exit status 1 when one raised something, hung for 10 s or took more than 1 GiB; the input is then in ``fuzz-found/``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

FOUND = Path("fuzz-found")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="which (all)")
    arguments.add_argument("--seconds", type=int, default=60, help="for each (60)")
    arguments.add_argument("--runs", type=int, help="so many inputs for each instead, from the same dice each time")
    told = arguments.parse_args()
    until = [f"-runs={told.runs}", "-seed=1"] if told.runs else [f"-max_total_time={told.seconds}"]
    return max(_fuzz(target, until) for target in told.targets or TARGETS)


def _fuzz(target: str, until: list[str]) -> int:
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(target)):
            Path(corpus, str(number)).write_bytes(seed)
        limits = [*until, "-timeout=10", "-rss_limit_mb=1024", "-max_len=20000", "-verbosity=0"]
        command = [sys.executable, "-m", "tests.fuzz.one", target, corpus, f"-artifact_prefix={FOUND}/{target}-"]
        steady = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run([*command, *limits, "-print_final_stats=1"], capture_output=True, text=True, env=steady)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-6000:], sep="\n")
    runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "no")
    print(f"{target}: {runs} inputs, {'something raised' if done.returncode else 'nothing raised'}", flush=True)
    if not any(FOUND.iterdir()):
        FOUND.rmdir()
    return int(done.returncode != 0 or not runs.isdecimal())


if __name__ == "__main__":
    sys.exit(main())
