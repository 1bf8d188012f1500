"""Real recordings, replayed: what aimond says of them is what happened."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from corpus import run

TAPES = Path(__file__).parent / "tapes"


def test_there_are_tapes_of_every_agent() -> None:
    assert {run.name(tape, TAPES).split("/")[0] for tape in run.tapes(TAPES)} == {"claude", "codex", "gemini"}


@pytest.mark.parametrize("tape", run.tapes(TAPES), ids=lambda tape: run.name(tape, TAPES))
def test_a_replayed_tape_tells_what_happened(tape: Path) -> None:
    verdict = run.check(tape, TAPES)
    assert not verdict.problems, "\n".join(verdict.problems)
