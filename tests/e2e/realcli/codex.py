"""Codex CLI."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tests.e2e.realcli.cli import DUMMY_KEY, RETRIES, Cli, Otlp, Session
from tests.e2e.realcli.mock_openai import MockOpenAI
from tests.e2e.realcli.settings import Json, json_lines, merge, toml, toml_key


class Codex(Cli):
    name, package, version = "codex", "@openai/codex", "0.169.0"
    mock = MockOpenAI
    ready = r"(?m)^› .*[\s\S]*for agents · \? for shortcuts"
    approval = r"(?i)would you like to|yes, proceed"
    answers: ClassVar = {"approved": b"y", "refused": b"3", "denied": b"\x1b"}
    quit_command = "/quit"
    dialogs = (
        (r"Use existing model", (b"2", b"\r")),
        (r"› 1\. Review hooks", (b"2",)),  # a key that comes too early is lost, and Enter would open the review
        (r"› 2\. Trust all and continue", (b"\r",)),
    )
    flush_s = 6.0  # the full-screen interface runs its sessions in a daemon, which exports spans every 5 s

    def provider_environment(self, home: Path, mock_url: str) -> dict[str, str]:
        # nothing but the mock and the telemetry endpoint is plain HTTP: this keeps all the rest on the machine
        return {"MOCK_API_KEY": DUMMY_KEY, "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}

    def set_provider(self, home: Path, mock_url: str, projects: list[Path]) -> None:
        config = home / ".codex" / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        keys: Json = {
            "model": "gpt-5.5",
            "model_provider": "mock",
            "approval_policy": "on-request",
            "sandbox_mode": "workspace-write",
            "check_for_update_on_startup": False,
        }
        mock: Json = {
            "name": "mock",
            "base_url": mock_url + "/v1",
            "env_key": "MOCK_API_KEY",
            "wire_api": "responses",
            "request_max_retries": RETRIES,
            "stream_max_retries": 1,
        }
        tables: Json = {
            "model_providers": {"mock": mock},
            "projects": {str(project): {"trust_level": "trusted"} for project in projects},
            "notice": {"model_migrations": {"gpt-5.5": "gpt-6-sol"}},  # do not ask whether to change the model
        }
        text = toml({**keys, **tables})
        if config.exists():
            text = around(config.read_text(), keys, tables)
        config.write_text(text)

    def set_telemetry(self, home: Path, otlp: Otlp) -> None:
        otel = {
            "environment": "dev",
            "log_user_prompt": False,
            "exporter": exporter(otlp, "logs"),
            "trace_exporter": exporter(otlp, "traces"),
            "metrics_exporter": exporter(otlp, "metrics"),
        }
        self.set_extra(home, toml({"otel": otel}))

    def set_extra(self, home: Path, text: str) -> None:
        config = home / ".codex" / "config.toml"
        config.write_text(toml(merge(tomllib.loads(config.read_text()), tomllib.loads(text))))

    def trust_hooks(self, home: Path) -> None:
        config = home / ".codex" / "config.toml"
        config.write_text(config.read_text() + toml({"hooks": {"state": trust(config)}}))

    def trusts_hooks(self, home: Path) -> bool:
        config = home / ".codex" / "config.toml"
        return bool(tomllib.loads(config.read_text())["hooks"].get("state") == trust(config))

    def headless(self, prompt: str, *, resume: bool = False, tools: bool = False, agents: bool = False) -> list[str]:
        # this model has the sub-agent tools without a search for them
        model = ["-m", "gpt-5.1-codex"] if agents else []
        return ["exec", *(["resume", "--last"] if resume else []), "--skip-git-repo-check", *model, prompt]

    def sessions(self, home: Path, since: float) -> Iterator[Session]:
        for path in self.recent(home, ".codex/sessions/**/rollout-*.jsonl", since):
            for entry in json_lines(path, 1):
                meta = entry.get("payload", {})
                source = str(meta.get("thread_source", "user"))
                yield Session(
                    str(meta.get("id", "")), str(meta.get("cwd", "")), str(path), "main" if source == "user" else source
                )


def trust(config: Path) -> Json:
    """What it writes as ``hooks.state`` when its user trusts all hooks in it: a hash for each place (0.169.0)."""
    hooks: Json = tomllib.loads(config.read_text())["hooks"]
    state: Json = {}
    for event in hooks.keys() - {"state"}:
        name = re.sub("(?<!^)(?=[A-Z])", "_", event).lower()
        for group_number, group in enumerate(hooks[event]):
            for number, handler in enumerate(group["hooks"]):
                normal = {"event_name": name, "hooks": [{"async": False, **handler}]}
                text = json.dumps(normal, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                digest = hashlib.sha256(text.encode()).hexdigest()
                state[f"{config}:{name}:{group_number}:{number}"] = {"trusted_hash": f"sha256:{digest}"}
    return state


def around(text: str, keys: Json, tables: Json) -> str:
    """A configuration with `keys` before its text and `tables` after it, where it lacks them."""
    known = tomllib.loads(text)
    if known.get("model_provider", "mock") != "mock":
        raise ValueError("model_provider is already set")
    if known.get("model_providers", {}).get("mock"):  # of an earlier run, whose mock had another port
        url = tables["model_providers"]["mock"]["base_url"]
        text = re.sub(r'(\[model_providers\.mock\][^\[]*?base_url = )"[^"]*"', rf'\1"{url}"', text)
    before = toml({key: value for key, value in keys.items() if key not in known})
    after = "".join(
        f"\n[{toml_key(table)}.{toml_key(name)}]\n{toml(value)}"
        for table, entries in tables.items()
        for name, value in entries.items()
        if name not in known.get(table, {})
    )
    return before + text.rstrip("\n") + "\n" + after


def exporter(otlp: Otlp, signal: str) -> Json:
    if otlp.grpc:
        return {"otlp-grpc": {"endpoint": f"http://{otlp.grpc}"}}
    return {"otlp-http": {"endpoint": f"{otlp.http}/v1/{signal}", "protocol": "json" if otlp.json else "binary"}}
