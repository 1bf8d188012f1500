"""Enabling an agent in Nix is `aimond setup` for it; what the user says counts before it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from nix.evaluate import ROOT, configured, value_of

# By home-manager's name: setup's name, and the main file.
AGENTS = {
    "claude-code": ("claude", ".claude/settings.json"),
    "codex": ("codex", ".codex/config.toml"),
    "gemini-cli": ("gemini", ".gemini/settings.json"),
}
RECEIVERS = {
    "both": "",
    "http": "grpc = false",
    "grpc": "http = false",
    "elsewhere": "http_port = 5318\ngrpc_port = 5317",
}
each_agent = pytest.mark.parametrize("agent", AGENTS)
ALL_ON = "".join(f"programs.{agent} = {{ enable = true; package = pkgs.{agent}; }};" for agent in AGENTS)


def enabled(*agents: str, more: str = "") -> str:
    on = "".join(f"services.aimond.agents.{agent}.enable = true;" for agent in agents)
    return f"{{ imports = [ {{ {on} {ALL_ON} }} {{ {more} }} ]; }}"


def set_up(agent: str, home: Path, otlp: str = "") -> dict[str, Any]:
    """What `aimond setup` writes for it into an empty home, by file."""
    word, _ = AGENTS[agent]
    (home / ".config" / "aimond").mkdir(parents=True)
    (home / ".config" / "aimond" / "config.toml").write_text(f"[otlp]\n{otlp}\n")
    (home / "bin").mkdir()
    program = home / "bin" / word
    program.write_text("#!/bin/sh\necho 2.1.330\n")
    program.chmod(0o700)
    environment = {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-m", "aimond", "setup", word], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    folder = home / AGENTS[agent][1].split("/")[0]
    return {str(path.relative_to(home)): read(path) for path in folder.iterdir()}


def read(path: Path) -> Any:
    loads = {".json": json.loads, ".toml": tomllib.loads}.get(path.suffix, str)
    return loads(path.read_text())


def in_nix(agent: str, module: str, **how: Any) -> dict[str, Any]:
    """What home-manager would write for it, by file."""
    want = f"""{{
      main = config.programs.{agent}.settings;
      files = builtins.mapAttrs (_: file: if file.text != null then file.text else file.source.value) config.home.file;
    }}"""
    found = configured(module, want, stand_in=True, **how)
    return {AGENTS[agent][1]: found["main"], **found["files"]}


@pytest.mark.parametrize("receivers", RECEIVERS)
@each_agent
def test_enabling_an_agent_sets_exactly_what_setup_writes(agent: str, receivers: str, tmp_path: Path) -> None:
    otlp = RECEIVERS[receivers]
    settings = "".join(f"services.aimond.settings.otlp.{line};" for line in otlp.splitlines())
    assert in_nix(agent, enabled(agent, more=settings)) == set_up(agent, tmp_path, otlp)


@each_agent
def test_without_a_module_of_home_managers_it_is_a_file_with_the_same(agent: str, tmp_path: Path) -> None:
    want = "builtins.mapAttrs (_: file: if file.text != null then file.text else file.source.value) config.home.file"
    version = 'services.aimond.agents.claude-code.version = "2.1.330";'
    module = f"{{ services.aimond.agents.{agent}.enable = true; {version} }}"
    there = set_up(agent, tmp_path)
    assert configured(module, want, programs=(), stand_in=True) == there
    assert configured(module, want, stand_in=True) == there, "where its module is there, and is not enabled"


def test_a_file_of_the_users_own_counts_before_it() -> None:
    own = 'home.file.".claude/settings.json".source = lib.mkDefault "/mine";'
    module = f"{{ services.aimond.agents.claude-code.enable = true; {own} }}"
    assert configured(module, 'config.home.file.".claude/settings.json".source', stand_in=True) == "/mine"


def test_agents_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    module = enabled(*AGENTS)
    for agent in AGENTS:
        (tmp_path / agent).mkdir()
        there = set_up(agent, tmp_path / agent)
        assert in_nix(agent, module).items() >= there.items()


@pytest.mark.parametrize(
    ("agent", "path", "value"),
    [
        ("claude-code", "env.OTEL_LOGS_EXPORT_INTERVAL", "9000"),
        ("codex", "otel.exporter", "none"),
        ("codex", "notify", ["notify-send"]),
        ("gemini-cli", "telemetry.logPrompts", True),
    ],
)
def test_the_users_own_value_counts_and_its_siblings_stay(agent: str, path: str, value: Any) -> None:
    *above, key = path.split(".")
    ours, mine = (
        in_nix(agent, enabled(agent, more=more))[AGENTS[agent][1]]
        for more in ("", f"programs.{agent}.settings.{path} = builtins.fromJSON ''{json.dumps(value)}'';")
    )
    for name in above:
        assert {**ours, name: None} == {**mine, name: None}
        ours, mine = ours[name], mine[name]
    assert mine == {**ours, key: value}
    assert ours[key] != value


def test_settings_of_the_users_own_stay_beside() -> None:
    more = 'programs.claude-code.settings = { model = "opus"; env.EDITOR = "vi"; };'
    settings = in_nix("claude-code", enabled("claude-code", more=more))[".claude/settings.json"]
    assert (settings["model"], settings["env"]["EDITOR"], settings["env"]["OTEL_LOGS_EXPORTER"]) == (
        "opus",
        "vi",
        "otlp",
    )


def test_hooks_of_the_users_own_come_first() -> None:
    own = {"hooks": [{"type": "command", "command": "mine"}]}
    more = f"programs.claude-code.settings.hooks.Stop = builtins.fromJSON ''{json.dumps([own])}'';"
    first, second = in_nix("claude-code", enabled("claude-code", more=more))[".claude/settings.json"]["hooks"]["Stop"]
    assert first == own
    assert second["hooks"][0]["command"].endswith("hook.py claude")


def test_lines_of_the_users_own_dotenv_count_after_ours() -> None:
    more = 'home.file.".gemini/.env".text = "GEMINI_MODEL=x\\n";'
    text = in_nix("gemini-cli", enabled("gemini-cli", more=more))[".gemini/.env"]
    assert text.split() == ["OTEL_BSP_SCHEDULE_DELAY=300", "GEMINI_MODEL=x"]


@each_agent
def test_telemetry_and_hooks_can_be_left_out(agent: str) -> None:
    def settings(**off: bool) -> Any:
        more = "".join(f"services.aimond.agents.{agent}.{key} = false;" for key in off)
        return in_nix(agent, enabled(agent, more=more))

    whole = settings()[AGENTS[agent][1]]
    assert settings(telemetry=False) == {AGENTS[agent][1]: {"hooks": whole["hooks"]}}
    assert settings(hooks=False)[AGENTS[agent][1]] == {key: value for key, value in whole.items() if key != "hooks"}


@pytest.mark.parametrize(("version", "knows"), [('"2.1.77"', False), ('"2.1.78"', True), ("null", False)])
def test_no_hook_is_set_that_voids_an_older_claudes_settings(version: str, knows: bool) -> None:
    more = f"services.aimond.agents.claude-code.version = {version};"
    hooks = in_nix("claude-code", enabled("claude-code", more=more))[".claude/settings.json"]["hooks"]
    assert ("StopFailure" in hooks) is knows
    assert "Stop" in hooks


def test_telemetry_that_goes_elsewhere_is_told_of() -> None:
    more = 'programs.claude-code.settings.env.OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector:4318";'
    assert configured(enabled("claude-code"), "config.warnings", stand_in=True) == []
    (warning,) = configured(enabled("claude-code", more=more), "config.warnings", stand_in=True)
    assert "services.aimond.agents.claude-code.telemetry = false" in warning
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in warning


def test_codex_hooks_in_two_files_are_told_of() -> None:
    more = "programs.codex.hooks.Stop = [ ];"
    (warning,) = configured(enabled("codex", more=more), "config.warnings", stand_in=True)
    assert "hooks.json" in warning


def test_no_port_for_telemetry_is_refused() -> None:
    want = "map (each: each.message) (builtins.filter (each: !each.assertion) config.assertions)"
    more = "services.aimond.settings.otlp = { http = false; grpc_port = 0; };"
    (message,) = configured(enabled("codex", more=more), want, stand_in=True)
    assert message.startswith("services.aimond.agents.codex")


# -- Codex CLI's trust ------------------------------------------------------------------------------


def test_trust_is_what_codex_notes_itself() -> None:
    """The hash is one that Codex CLI 0.169.0 took, from a config.toml that it could not write."""
    hook = '{ type = "command"; command = "true"; timeout = 3; }'
    noted = value_of(
        f"""(import (nix + /agents.nix) {{ inherit lib; }}).trusted "/home/alice/.codex/config.toml" {{
          Stop = [ {{ hooks = [ {hook} ]; }} ]; SessionStart = [ {{ hooks = [ {hook} ]; }} ];
        }}"""
    )
    assert list(noted) == [f"/home/alice/.codex/config.toml:{event}:0:0" for event in ("session_start", "stop")]
    digest = "53dac8c5feaef3fa564d088de5a55337f522ebea375fc486f76cc50440d96e19"
    assert noted["/home/alice/.codex/config.toml:stop:0:0"] == {"trusted_hash": f"sha256:{digest}"}


@pytest.mark.parametrize(
    ("more", "directory"),
    [("", "/home/alice/.codex"), ("home.preferXdgDirectories = true;", "/home/alice/.config/codex")],
)
def test_hooks_that_the_user_trusts_keep_their_number(more: str, directory: str) -> None:
    own = '[ { hooks = [ { type = "command"; command = "mine"; } ]; } ]'
    more += f"services.aimond.agents.codex.trust = true; programs.codex.settings.hooks.Stop = {own};"
    hooks = in_nix("codex", enabled("codex", more=more))[".codex/config.toml"]["hooks"]
    assert set(hooks.pop("state")) == {
        f"{directory}/config.toml:{re.sub('(?<!^)(?=[A-Z])', '_', event).lower()}:0:0" for event in hooks
    }
    assert hooks["Stop"][0]["hooks"][0]["command"].endswith("hook.py codex")
    assert hooks["Stop"][1]["hooks"][0]["command"] == "mine"


def test_trust_comes_with_a_file_too() -> None:
    module = "{ services.aimond.agents.codex = { enable = true; trust = true; }; }"
    want = 'config.home.file.".codex/config.toml".source.value.hooks.state'
    assert len(configured(module, want, stand_in=True)) == 6


# -- Antigravity CLI, which home-manager renamed Gemini CLI's module to ------------------------------


NEW = ("antigravity-cli",)


def antigravity(more: str) -> Any:
    module = f"{{ services.aimond.agents.gemini-cli.enable = true; programs.antigravity-cli = {{ {more} }}; }}"
    want = "{ inherit (config.programs.antigravity-cli) settings; files = builtins.attrNames config.home.file; }"
    return configured(module, want, programs=NEW, stand_in=True)


@pytest.mark.parametrize(
    "more", ["enable = true; package = pkgs.gemini-cli;", "enable = true; useLegacyGeminiConfig = true;"]
)
def test_gemini_cli_is_set_up_under_its_modules_new_name(more: str) -> None:
    found = antigravity(more)
    assert found["settings"]["telemetry"]["enabled"] is True
    assert found["files"] == [".gemini/.env"]


def test_antigravity_cli_itself_is_left_alone() -> None:
    found = antigravity("enable = true; package = pkgs.antigravity-cli;")
    assert found["settings"] == {}
    assert found["files"] == [".gemini/.env", ".gemini/settings.json"]
