"""Claude Code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tests.e2e.realcli.cli import DUMMY_KEY, RETRIES, Cli, Otlp, Session
from tests.e2e.realcli.mock_anthropic import MockAnthropic
from tests.e2e.realcli.settings import json_lines, merge_json_file


class Claude(Cli):
    name, package, version = "claude", "@anthropic-ai/claude-code", "2.1.330"
    mock = MockAnthropic
    ready = r"(?m)^\s*❯[\s\S]*(shortcuts|mode on)"
    approval = r"1\. Yes[\s\S]*Esc to cancel"
    answers: ClassVar = {"approved": b"\r", "refused": b"4", "denied": b"\x1b"}
    quit_command = "/exit"

    def provider_environment(self, home: Path, mock_url: str) -> dict[str, str]:
        env = {
            "ANTHROPIC_BASE_URL": mock_url,
            "ANTHROPIC_API_KEY": DUMMY_KEY,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",  # it would clone from github.com
            "CLAUDE_CODE_MAX_RETRIES": str(RETRIES),
        }
        if os.geteuid() == 0:
            env["IS_SANDBOX"] = "1"  # allows it to run as root
        return env

    def set_provider(self, home: Path, mock_url: str, projects: list[Path]) -> None:
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        state = {
            "hasCompletedOnboarding": True,
            "customApiKeyResponses": {"approved": [DUMMY_KEY], "rejected": []},
            "projects": {str(project): trusted for project in projects},
        }
        merge_json_file(home / ".claude.json", state)

    def set_telemetry(self, home: Path, otlp: Otlp) -> None:
        env = {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if otlp.grpc else "http/json" if otlp.json else "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{otlp.grpc}" if otlp.grpc else otlp.http,
            "OTEL_LOGS_EXPORT_INTERVAL": "1000",
            "OTEL_TRACES_EXPORT_INTERVAL": "1000",
            "OTEL_METRIC_EXPORT_INTERVAL": "10000",
        }
        merge_json_file(home / ".claude" / "settings.json", {"env": env})

    def set_extra(self, home: Path, text: str) -> None:
        merge_json_file(home / ".claude" / "settings.json", json.loads(text))

    def headless(self, prompt: str, *, resume: bool = False, tools: bool = False, agents: bool = False) -> list[str]:
        allowed = ["Bash"] * tools + ["Agent", "Task"] * agents
        return ["-p", *(["--continue"] if resume else []), prompt, *(["--allowedTools", *allowed] if allowed else [])]

    def interactive(self) -> list[str]:
        return ["--permission-mode", "default"]

    def sessions(self, home: Path, since: float) -> Iterator[Session]:
        for path in self.recent(home, ".claude/projects/*/*.jsonl", since):
            cwd = next((str(entry["cwd"]) for entry in json_lines(path) if entry.get("cwd")), "")
            yield Session(path.stem, cwd, str(path))
