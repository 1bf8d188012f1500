from __future__ import annotations


class Gemini(Cli):
    name, package, version = "gemini", "@google/gemini-cli", "0.61.0"
    mock = MockGemini
    ready = r"Type your message"
    approval = r"Allow once"
    approve_key = b"\r"
    quit_command = "/quit"

    def provider_environment(self, home: Path, mock_url: str) -> dict[str, str]:
        return {"GEMINI_API_KEY": DUMMY_KEY, "GOOGLE_GEMINI_BASE_URL": mock_url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}

    def configure(self, home: Path, mock_url: str, projects: list[Path], otlp: Otlp | None, extra: str | None) -> None:
        settings = home / ".gemini" / "settings.json"
        merge_json_file(
            settings,
            {
                "general": {
                    "enableAutoUpdate": False,
                    "enableAutoUpdateNotification": False,
                    "maxAttempts": RETRIES + 1,
                },
                "privacy": {"usageStatisticsEnabled": False},
                "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            },
        )
        if otlp:
            merge_json_file(
                settings,
                {
                    "telemetry": {
                        "enabled": True,
                        "target": "local",
                        "logPrompts": False,
                        "otlpEndpoint": f"http://{otlp.grpc}" if otlp.grpc else otlp.http,
                        "otlpProtocol": "grpc" if otlp.grpc else "http",
                    }
                },
            )
        if extra:
            merge_json_file(settings, json.loads(extra))

    def headless(self, prompt: str, *, resume: bool = False, tools: bool = False, agents: bool = False) -> list[str]:
        return ["-p", prompt, *(["--resume", "latest"] if resume else []), *(["--yolo"] if tools or agents else [])]

    def sessions(self, home: Path, since: float) -> Iterator[Session]:
        for path in self.recent(home, ".gemini/tmp/*/chats/**/session-*.json*", since):
            root = path
            while root.parent.name != "tmp":
                root = root.parent
            marker = root / ".project_root"
            cwd = marker.read_text().strip() if marker.exists() else ""
            entry = next(json_lines(path, 1), {})
            yield Session(str(entry.get("sessionId", "")), cwd, str(path), str(entry.get("kind", "main")))
        # a session without any answer has no chat file, but its prompts are logged
        for path in self.recent(home, ".gemini/tmp/*/logs.json", since):
            marker = path.parent / ".project_root"
            cwd = marker.read_text().strip() if marker.exists() else ""
            for session_id in {entry["sessionId"]: None for entry in json.loads(path.read_text())}:
                if not list(path.parent.glob(f"chats/**/*{session_id[:8]}*")):
                    yield Session(session_id, cwd, str(path))
