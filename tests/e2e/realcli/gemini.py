"""Gemini CLI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tests.e2e.realcli.cli import DUMMY_KEY, RETRIES, Cli, Otlp, Session
from tests.e2e.realcli.mock_gemini import MockGemini
from tests.e2e.realcli.settings import json_lines, merge_json_file


class Gemini(Cli):
    name, package, version = "gemini", "@google/gemini-cli", "0.61.0"
    mock = MockGemini
    ready = r"Type your message"
    approval = r"Allow once"
    answers: ClassVar = {"approved": b"\r", "refused": b"3", "denied": b"\x1b"}
    quit_command = "/quit"

    def provider_environment(self, home: Path, mock_url: str) -> dict[str, str]:
        return {"GEMINI_API_KEY": DUMMY_KEY, "GOOGLE_GEMINI_BASE_URL": mock_url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}

    def set_provider(self, home: Path, mock_url: str, projects: list[Path]) -> None:
        settings = {
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False, "maxAttempts": RETRIES + 1},
            "privacy": {"usageStatisticsEnabled": False},
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        }
        merge_json_file(home / ".gemini" / "settings.json", settings)

    def set_telemetry(self, home: Path, otlp: Otlp) -> None:
        telemetry = {
            "enabled": True,
            "target": "local",
            "logPrompts": False,
            "otlpEndpoint": f"http://{otlp.grpc}" if otlp.grpc else otlp.http,
            "otlpProtocol": "grpc" if otlp.grpc else "http",
        }
        merge_json_file(home / ".gemini" / "settings.json", {"telemetry": telemetry})

    def set_extra(self, home: Path, text: str) -> None:
        merge_json_file(home / ".gemini" / "settings.json", json.loads(text))

    def headless(self, prompt: str, *, resume: bool = False, tools: bool = False, agents: bool = False) -> list[str]:
        return ["-p", prompt, *(["--resume", "latest"] if resume else []), *(["--yolo"] if tools or agents else [])]

    def sessions(self, home: Path, since: float) -> Iterator[Session]:
        for path in self.recent(home, ".gemini/tmp/*/chats/**/session-*.json*", since):
            root = next(parent for parent in path.parents if parent.parent.name == "tmp")
            entry = next(json_lines(path, 1), {})
            kind = str(entry.get("kind", "main"))
            yield Session(str(entry.get("sessionId", "")), project_of(root), str(path), kind)
        # a session without any answer has no chat file, but its prompts are logged
        for path in self.recent(home, ".gemini/tmp/*/logs.json", since):
            for session_id in {entry["sessionId"]: None for entry in json.loads(path.read_text())}:
                if not list(path.parent.glob(f"chats/**/*{session_id[:8]}*")):
                    yield Session(session_id, project_of(path.parent), str(path))


def project_of(directory: Path) -> str:
    """The project that one of Gemini CLI's own directories is for."""
    marker = directory / ".project_root"
    return marker.read_text().strip() if marker.exists() else ""
