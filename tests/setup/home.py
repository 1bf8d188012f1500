"""A user's home, prepared by hand, and ``aimond setup`` run in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aimond.__main__ import main
from aimond.agents.claude_code import settings as claude
from aimond.agents.codex import settings as codex
from aimond.agents.gemini_cli import settings as gemini
from aimond.agents.settings import Wanted

HTTP, GRPC = "http://127.0.0.1:4318", "http://127.0.0.1:4317"
CLIS = {"claude": claude.SETTINGS, "codex": codex.SETTINGS, "gemini": gemini.SETTINGS}
FILES = {"claude": ".claude/settings.json", "codex": ".codex/config.toml", "gemini": ".gemini/settings.json"}

# What a user may have: own hooks, an own notify program, other keys in an own order, odd spacing, comments.
OWN = {
    "claude": """\
{
    "model":  "opus",
    "env": { "EDITOR": "vi", "ANTHROPIC_API_KEY": "sk-of-mine" },
    "permissions": {"deny": ["Read(./.env)"]},
    "hooks": {
        "Stop": [{"hooks": [{"type": "command", "command": "notify-send done"}]}],
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "./audit.sh"}]}]
    }
}
""",
    "codex": """\
# mine
model = "gpt-5.5"   # the good one
notify = ["notify-send", "Codex"]

[[hooks.Stop]]
[[hooks.Stop.hooks]]
type = "command"
command = "./audit.sh"

# how it looks
[tui]
theme = "dark"

[otel]
environment = "dev"
metrics_exporter = "none"

# last words
""",
    "gemini": """\
{
  // what it looks like
  "ui": {"theme": "GitHub"}, /* dark */
  "hooks": {
    "AfterTool": [{"matcher": "write_file", "hooks": [{"type": "command", "command": "./audit.sh"}]}]
  },
  "telemetry": {"logPrompts": true} // for myself
}
""",
}


def wanted(cli: str = "claude", **more: Any) -> Wanted:
    """What setup wants, installed in a place that is nowhere."""
    program = ("/opt/aimond/bin/python", "-I", "-S", "/opt/aimond/lib/aimond/commands/hook.py", cli)
    return Wanted(HTTP, GRPC, program, **{"version": (2, 1, 330), **more})


@dataclass(frozen=True)
class Said:
    """How a run ended, and what it said."""

    status: int
    out: str
    err: str


@dataclass
class Home:
    """A directory that is HOME, with nothing of the real one in the environment."""

    path: Path
    capsys: pytest.CaptureFixture[str]

    def setup(self, *arguments: str) -> Said:
        self.capsys.readouterr()
        status = main(["setup", *arguments])
        out, err = self.capsys.readouterr()
        return Said(status, out, err)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_bytes().decode()

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def tree(self) -> dict[str, bytes | None]:
        """All there is: directories have no content."""
        return {
            str(path.relative_to(self.path)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.path.rglob("*"))
        }
