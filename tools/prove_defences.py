#!/usr/bin/env python3
"""Takes each defence away, one at a time, and shows that the test which holds it fails then: ``make prove``.

    tools/prove_defences.py [WORD …]    those whose description has one of these words; all of them without

Works on a copy of the repository. Exit status 1 when a test passes without its defence, or fails with it, or when a
row of the table does not fit the source any more; 2 when no row has such a word.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from defences import DEFENCES, Defence

ROOT = Path(__file__).parents[1]
LONGEST = 240  # seconds for one test; a defence against what never ends may be one


@dataclass(frozen=True)
class Copy:
    """A copy of what is under version control here, to be spoilt."""

    root: Path

    @classmethod
    def made(cls, into: Path) -> Copy:
        listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT)
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).is_file():
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        return cls(into)

    def passes(self, tests: Collection[str]) -> bool | None:
        """Whether the tests do, in time; None where they cannot even be run."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        within = LONGEST * len(tests)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, timeout=within)
        except subprocess.TimeoutExpired:
            return False
        return {0: True, 1: False}.get(done.returncode)

    def without(self, defence: Defence) -> str:
        """What becomes of its test when it is gone."""
        file = self.root / defence.file
        text = file.read_text()
        if text.count(defence.text) != 1:
            return f"ITS TEXT IS {text.count(defence.text)} TIMES IN {defence.file}"
        file.write_text(text.replace(defence.text, defence.instead))
        try:
            said = self.passes([defence.test])
        finally:
            file.write_text(text)
        return {True: "ITS TEST PASSES WITHOUT IT", False: "", None: "ITS TEST CANNOT BE RUN"}[said]


def main(words: list[str]) -> int:
    chosen = [each for each in DEFENCES if not words or any(word in each.what for word in words)]
    if not chosen:
        print(f"no defence is called {' or '.join(words)}", file=sys.stderr)
        return 2
    width, wrong = max(len(each.what) for each in chosen), 0
    with tempfile.TemporaryDirectory(prefix="aimond-prove-") as directory:
        copy = Copy.made(Path(directory))
        if not copy.passes({each.test for each in chosen}):
            print("their tests do not even pass with the defences", file=sys.stderr)
            return 1
        for each in chosen:
            began = time.monotonic()
            said = copy.without(each)
            wrong += bool(said)
            told = said or f"{each.test.rpartition('::')[2]} fails"
            print(f"{each.what:<{width}}  {told}  ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} defences are held by their tests")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
