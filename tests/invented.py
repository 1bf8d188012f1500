"""Invented truths, tapes and replays for stories about the corpus checker. Times are seconds since the tape's start."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from corpus import report as report
from corpus.judge import judge
from corpus.replayed import parse as parse
from corpus.verdict import Verdict

ID = "00000000-0000-4000-8000-000000000001"
HIDDEN = "00000000-0000-4000-8000-00000000000f"
PID = 101

Line = dict[str, Any]


def turn(start: float, end: float, outcome: str = "completed", **more: Any) -> Line:
    return {"start": start, "end": end, "outcome": outcome, **more}


def session(*turns: Line, **more: Any) -> Line:
    return {
        "session_id": ID,
        "kind": "main",
        "hidden": False,
        "parent_session_id": None,
        "process_pid": PID,
        "turns": list(turns),
        "errors": [],
        "observable_usage": {},
    } | more


def said(arrived: float, *times: float, who: str = ID, **attributes: str) -> Line:
    """A logs request with one record at each of the times."""
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in {"session.id": who, **attributes}.items()]
    records = [{"timeUnixNano": str(int(time * 1e9)), "attributes": pairs} for time in times]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    return posted(arrived, "logs", body)


def posted(arrived: float, signal: str, body: bytes) -> Line:
    return {"t": arrived, "kind": "otlp", "signal": signal, "body": base64.b64encode(body).decode()}


def hook(t: float, event: str, **payload: str) -> Line:
    return {"t": t, "kind": "hook", "event": event, "payload": {"session_id": ID, **payload}}


def change(t: float, kind: str, who: str = ID, **more: Any) -> Line:
    return {"t": t, "change": kind, "session_id": who, "agent": "claude-code", **more}


def state(t: float, new: str, evidence: str = "log", who: str = ID) -> Line:
    return change(t, "state", who, old="working", new=new, reason="", evidence=evidence, confidence="exact")


def entry(who: str = ID, **more: Any) -> Line:
    return {"id": who, "state": "idle", "parent": "", "ended": 99.0, "usage": {}} | more


EXIT: Line = {"t": 60.0, "kind": "process", "event": "exit", "pid": PID}
ONE_TURN = session(turn(2.0, 10.0))
SPOKE = said(11.0, 2.0, 5.0, 10.0)
DONE = change(11.0, "completed")


def check(
    truth: Line | list[Line], tape: list[Line], changes: list[Line], *entries: Line, only: str | None = None
) -> Verdict:
    """The verdict on an invented replay of an invented tape."""
    output = [change(1.0, "session-added"), *changes, {"change": "end", "sessions": list(entries) or [entry()]}]
    sessions = truth if isinstance(truth, list) else [truth]
    lines: list[Line] = [{"t": 0, "kind": "tape", "epoch_ns": 0}, *tape]
    return judge("tape", {"sessions": sessions}, lines, parse("\n".join(map(json.dumps, output))), only=only)


def wrong(verdict: Verdict) -> dict[str, Any]:
    """The counts of problems that are not zero."""
    kinds = (
        "ghosts late early missed duplicated unsure failed_missed false_failures cut_completed false_cuts false_calls "
        "waits_wrong unfounded_waits token_error request_error parents_wrong not_ended faults"
    )
    counts = {kind: getattr(verdict.tally, kind) for kind in kinds.split()}
    assert bool(verdict.problems) == (any(counts.values()) or verdict.tally.found < verdict.tally.sessions)
    return {kind: count for kind, count in counts.items() if count}
