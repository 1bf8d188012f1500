"""Replays tapes of a corpus folder, each in a process of its own, and judges what it printed."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from corpus.judge import judge
from corpus.replayed import Replayed, parse
from corpus.verdict import Verdict

ROOT: Final = Path(__file__).parents[2]
TAPE: Final = ".tape.jsonl.gz"
_TRUTH: Final = ".truth.json"
_PATIENCE: Final = 180


def tapes(folder: Path) -> list[Path]:
    """All tapes below a folder, sorted."""
    return sorted(folder.rglob(f"*{TAPE}"))


def name(tape: Path, folder: Path) -> str:
    """The tape's name: its path below the folder, without the ending."""
    return str(tape.relative_to(folder)).removesuffix(TAPE)


def check(tape: Path, folder: Path, *, only: str | None = None) -> Verdict:
    """The verdict on one tape, replayed by this Python."""
    truth = json.loads((tape.parent / (tape.name.removesuffix(TAPE) + _TRUTH)).read_text())
    with gzip.open(tape, "rt") as lines:
        return judge(name(tape, folder), truth, map(json.loads, lines), replay(tape, only=only), only=only)


def replay(tape: Path, *, only: str | None = None) -> Replayed:
    """What ``aimond replay`` says of a tape."""
    options = ["--only", only] if only else []
    command = [sys.executable, "-m", "aimond", "replay", *options, str(tape.resolve())]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Replayed(faults=[f"no end after {_PATIENCE} s"])
    return parse(done.stdout, errors=done.stderr, status=done.returncode)
