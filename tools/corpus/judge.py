"""One tape's truth held against its replay. Pure: documents in, verdict out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corpus import sessions, tape, tokens, truth, turns
from corpus.replayed import Replayed
from corpus.verdict import Verdict


def judge(
    name: str, document: dict[str, Any], lines: Iterable[dict[str, Any]], replayed: Replayed, *, only: str | None = None
) -> Verdict:
    """The verdict on a replay, given the parsed truth file and tape lines."""
    happened, told = truth.read(document), tape.read(lines, only=only)
    verdict = Verdict(name)
    for fault in replayed.faults:
        verdict.wrong("faults", fault)
    sessions.judge_presence(happened, replayed, told, verdict)
    for session in happened.visible:
        if not told.speaks_of(session.id) and session.id not in replayed.ids:
            continue
        turns.judge(session, replayed, told, verdict)
        sessions.judge_waits(session, replayed, told, verdict)
    tokens.judge(happened, replayed, verdict)
    return verdict
