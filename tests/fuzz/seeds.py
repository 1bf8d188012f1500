"""Where the fuzzer starts from: what is really sent."""

from __future__ import annotations

import json
from pathlib import Path

from aimond.tape import unpacked
from tests.recorded import PATHS, tape

ROOT = Path(__file__).parents[2]
LARGEST = 20_000  # bytes
EACH = 60


def seeds(target: str) -> list[bytes]:
    """Some inputs for that target, the smallest first."""
    found = {"protobuf": _bodies, "json": _bodies, "hook": _hooks, "config": _configs, "tape": _tapes}[target](target)
    return sorted({each for each in found if len(each) < LARGEST}, key=lambda each: (len(each), each))[:EACH]


def _bodies(kind: str) -> list[bytes]:
    lines = [line for path in PATHS for line in tape(path).lines if line.kind == "otlp"]
    return [unpacked(line) for line in lines if ("json" in (line.fields["content_type"] or "")) == (kind == "json")]


def _hooks(_kind: str) -> list[bytes]:
    lines = [(tape(path).tool, line.fields) for path in PATHS for line in tape(path).lines if line.kind == "hook"]
    return [json.dumps({"agent": f.get("tool") or tool, "payload": f["payload"]}).encode() for tool, f in lines]


def _configs(_kind: str) -> list[bytes]:
    page = (ROOT / "docs" / "config.md").read_text()
    return [part.partition("```")[0].encode() for part in page.split("```toml")[1:]]


def _tapes(_kind: str) -> list[bytes]:
    head = b'{"kind": "tape", "format": 1, "tool": "claude", "epoch": 1}\n'
    return [head, head + b'{"kind": "hook", "t": 1, "event": "Stop", "payload": {}}\n']
