"""``aimond doctor`` about the CLIs: each state that a home can be in."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, Place, Said

CLAUDE, CODEX, GEMINI = ".claude/settings.json", ".codex/config.toml", ".gemini/settings.json"
Make = Callable[[Place], Home]


@pytest.fixture
def ready(home: Home) -> Home:
    """All are installed and set up."""
    home.install("claude", "codex", "gemini")
    home.setup("all")
    return home


def claude(home: Home, change: Callable[[Any], None]) -> None:
    settings = home.json(CLAUDE)
    change(settings)
    home.write(CLAUDE, json.dumps(settings))


# -- telemetry ----------------------------------------------------------------------------------------


def test_who_is_set_up_is_well(ready: Home) -> None:
    said = ready.doctor()
    assert said.wrong("claude") == said.wrong("gemini") == []
    for name, file, protocol in (("claude", CLAUDE, "http/protobuf"), ("gemini", GEMINI, "grpc")):
        cli = said.cli(name)
        assert (cli["configured"], cli["arrives"], cli["protocol"]) == (True, True, protocol)
        assert cli["set_by"] == [f"~/{file}"]
        assert cli["hooks"]["missing"] == []
        assert [program["fault"] or program["gone"] for program in cli["hooks"]["programs"]] == [""]
    assert said.cli("gemini")["endpoint"] == f"http://127.0.0.1:{ready.place.grpc}"


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_who_is_installed_and_not_set_up_is_to_be(home: Home, name: str) -> None:
    home.install(name)
    said = home.doctor(name)
    assert said.status == 1
    assert said.wrong(name) == ["telemetry: off", "hooks: none installed"]
    assert said.todo == [f"aimond setup {name}"]


@pytest.mark.parametrize(("name", "file"), [("claude", CLAUDE), ("codex", CODEX), ("gemini", GEMINI)])
def test_telemetry_that_its_user_sends_elsewhere_is_his_to_change(ready: Home, name: str, file: str) -> None:
    port = ready.place.grpc if name == "gemini" else ready.place.http
    ready.change(file, (f"127.0.0.1:{port}", "user:secret@otel.example:4318"))
    said = ready.doctor(name)
    (what,) = [each for each in said.wrong(name) if each.startswith("telemetry")]
    assert "goes to http://otel.example:4318, " in what
    assert what.endswith("which is not aimond")
    assert any(f"~/{file}" in each and "--dry-run" in each for each in said.todo)
    assert "secret" not in json.dumps(said.report)


def test_settings_for_other_ports_are_mended_by_setup(ready: Home) -> None:
    ready.write(".config/aimond/config.toml", ready.place.config.replace(str(ready.place.http), "9"))
    said = ready.doctor("claude")
    assert said.wrong("claude")[0].startswith(f"telemetry: goes to http://127.0.0.1:{ready.place.http}")
    assert "aimond setup claude" in said.todo


def test_a_variable_that_overrides_the_settings_is_named(ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_TELEMETRY_OTLP_ENDPOINT", "http://me:secret@otel.example:4317/?key=secret")
    said = ready.doctor("gemini")
    assert "http://otel.example:4317, grpc (GEMINI_TELEMETRY_OTLP_ENDPOINT, " in said.wrong("gemini")[0]
    assert said.cli("gemini")["set_by"][0] == "GEMINI_TELEMETRY_OTLP_ENDPOINT"
    assert "GEMINI_TELEMETRY_OTLP_ENDPOINT" in said.todo[0]
    assert "secret" not in json.dumps(said.report)


def test_a_projects_file_that_overrides_the_settings_is_named(ready: Home) -> None:
    ready.write("work/.gemini/settings.json", '{"telemetry": {"otlpEndpoint": "http://otel.example"}}')
    said = ready.doctor("gemini")
    assert f"{ready.path}/work/.gemini/settings.json" in said.cli("gemini")["set_by"]
    assert "http://otel.example" in said.wrong("gemini")[0]


def test_a_projects_file_may_switch_hooks_off(ready: Home) -> None:
    ready.write("work/.claude/settings.local.json", '{"disableAllHooks": true}')
    (what,) = ready.doctor("claude").wrong("claude")
    assert what == f"hooks: none runs: disableAllHooks = true in {ready.path}/work/.claude/settings.local.json"


def test_a_protocol_that_the_port_does_not_speak_is_wrong(ready: Home) -> None:
    claude(ready, lambda settings: settings["env"].update(OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))
    said = ready.doctor("claude")
    assert said.wrong("claude")[0].startswith("telemetry: speaks grpc to the port for HTTP: ")
    assert said.cli("claude")["arrives"] is False


def test_telemetry_that_is_switched_off_is_wrong_and_where(ready: Home) -> None:
    claude(ready, lambda settings: settings["env"].update(CLAUDE_CODE_ENABLE_TELEMETRY="0"))
    said = ready.doctor("claude")
    assert said.wrong("claude")[0].startswith("telemetry: off: telemetry is switched off (env.CLAUDE_CODE_ENABLE_TELE")
    assert said.todo[0].startswith(f"change that in ~/{CLAUDE}")


def test_settings_that_cannot_be_read_are_to_be_mended(ready: Home) -> None:
    ready.write(CLAUDE, '{"env": {\n"a" 1}}')
    said = ready.doctor("claude")
    assert said.status == 1
    assert said.wrong("claude")[0].startswith(f"settings: ~/{CLAUDE}:2: ")
    assert said.todo == [f"mend ~/{CLAUDE}:2"]


# -- hooks --------------------------------------------------------------------------------------------


def test_a_hook_that_is_missing_is_told(ready: Home) -> None:
    claude(ready, lambda settings: settings["hooks"].pop("Stop"))
    said = ready.doctor("claude")
    assert said.wrong("claude") == ["hooks: missing: Stop"]
    assert said.todo == ["aimond setup claude"]


def test_hooks_that_codex_does_not_trust_yet_are_wrong(ready: Home) -> None:
    said = ready.doctor("codex")
    assert said.wrong("codex")[0].startswith("hooks: not trusted yet: SessionStart, ")
    assert said.todo == ["start Codex CLI and trust its hooks: it asks at its start, or at /hooks"]
    assert said.cli("codex")["hooks"]["untrusted"] == said.cli("codex")["hooks"]["installed"]


@pytest.mark.parametrize("version", ["0.80.0", "0.124.0"])
def test_old_versions_of_codex_do_not_ask(ready: Home, version: str) -> None:
    ready.change("bin/codex", ("codex-cli 0.169.0", version))
    said = ready.doctor("codex")
    assert (said.cli("codex")["version"], said.wrong("codex")) == (version, [])


def test_hooks_that_are_switched_off_are_wrong(ready: Home) -> None:
    claude(ready, lambda settings: settings.update(disableAllHooks=True))
    (what,) = ready.doctor("claude").wrong("claude")
    assert what == f"hooks: none runs: disableAllHooks = true in ~/{CLAUDE}"


def program(home: Home, text: str) -> Said:
    """With a hook program of that text in the place of ours."""
    there = home.path / "aimond/commands/hook.py"
    home.write("aimond/commands/hook.py", text)

    def change(settings: Any) -> None:
        for groups in settings["hooks"].values():
            groups[0]["hooks"][0]["command"] = f"{sys.executable} -I -S {there} claude"

    claude(home, change)
    return home.doctor("claude")


def test_a_hook_program_that_is_gone_is_told(ready: Home) -> None:
    program(ready, "")
    (ready.path / "aimond/commands/hook.py").unlink()
    said = ready.doctor("claude")
    assert said.wrong("claude") == [
        f"hook program: {ready.path}/aimond/commands/hook.py is gone: another installation of aimond had it"
    ]
    assert said.todo == ["aimond setup claude"]


def test_a_hook_program_of_a_venv_that_is_gone_is_told(ready: Home) -> None:
    ready.change(CLAUDE, (sys.executable, "/nowhere/bin/python"))
    assert "/nowhere/bin/python is gone" in ready.doctor("claude").wrong("claude")[0]


def test_a_hook_program_that_fails_is_told(ready: Home) -> None:
    said = program(ready, "raise SystemExit('no such thing')")
    assert said.wrong("claude") == ["hook program: does not work: exit status 1: no such thing"]


def test_a_slow_hook_program_is_told(ready: Home) -> None:
    said = program(ready, "import time; time.sleep(0.12)")
    assert said.status == 0
    assert any(each.startswith("hook program: takes ") for each in said.of("claude", "note"))


def test_the_hook_is_tried_without_the_monitor(at: Make, own_monitor: Place) -> None:
    home = at(own_monitor)
    home.install("claude")
    home.setup("claude")
    for _ in range(2):
        assert home.doctor("claude").cli("claude")["hooks"]["heard"] == 0


# -- what arrives -------------------------------------------------------------------------------------


def test_records_and_hooks_that_arrive_are_told_and_the_process_is_seen(at: Make, own_monitor: Place) -> None:
    home = at(own_monitor)
    home.install("claude")
    home.setup("claude")
    tell = home.start("claude")
    tell({"hook_event_name": "SessionStart", "session_id": "s-1", "cwd": str(home.path)})
    said = until(home, lambda cli: cli["hooks"]["heard"] == 1)
    assert (said.cli("claude")["records"], said.cli("claude")["last_record"]) == (0, 0)
    assert "last record: none since the monitor was started" in said.of("claude", "note")
    tell({"event.name": "user_prompt", "session.id": "s-1"})
    tell({"event.name": "brand_new", "session.id": "s-1"})
    said = until(home, lambda cli: cli["records"] == 2)
    cli = said.cli("claude")
    assert (said.status, said.wrong("claude")) == (0, [])
    assert time.time() - cli["last_record"] < 20
    assert time.time() - cli["hooks"]["last"] < 20
    assert cli["unknown_events"] == 1
    assert any(each.startswith("unknown events: 1 of 2 records") for each in said.of("claude", "note"))
    (process,) = [each for each in cli["processes"] if each["pid"] == home.pid]
    assert process["session"] == "s-1"
    assert f"running: seen: pid {home.pid}" in said.of("claude", "ok")


def until(home: Home, so: Callable[[Any], bool]) -> Said:
    for _ in range(20):
        said = home.doctor("claude")
        if so(said.cli("claude")):
            return said
        time.sleep(0.05)
    raise AssertionError(said.report)


def test_what_started_before_setup_is_to_be_restarted(home: Home) -> None:
    home.install("claude")
    home.start("claude")
    time.sleep(0.05)
    home.setup("claude")
    said = home.doctor("claude")
    assert f"running: silent: started before `aimond setup`: pid {home.pid}" in said.wrong("claude")
    assert said.todo == ["restart the running Claude Code"]


def test_what_has_just_started_need_not_have_said_anything(ready: Home) -> None:
    time.sleep(0.05)
    ready.start("claude")
    said = ready.doctor("claude")
    assert said.status == 0
    assert f"running: has sent nothing yet: pid {ready.pid}" in said.of("claude", "note")


def test_a_process_whose_environment_leads_elsewhere_is_told(ready: Home) -> None:
    ready.start("gemini", OTEL_EXPORTER_OTLP_ENDPOINT="http://me:secret@otel.example:4317")
    said = ready.doctor("gemini")
    what = f"running: sends to http://otel.example:4317: its OTEL_EXPORTER_OTLP_ENDPOINT: pid {ready.pid}"
    assert said.wrong("gemini") == [what]
    assert said.todo == ["unset OTEL_EXPORTER_OTLP_ENDPOINT where it is started, and restart the running Gemini CLI"]
    assert "secret" not in json.dumps(said.report)


def test_a_process_with_another_home_is_nobodys_fault(ready: Home, tmp_path: Path) -> None:
    ready.start("claude", HOME=str(tmp_path))
    said = ready.doctor("claude")
    assert said.status == 0
    (what,) = [each for each in said.of("claude", "note") if str(ready.pid) in each]
    assert what.startswith("running: reads other settings, of another HOME: pid ")


def test_servers_that_terminals_share_are_not_counted(ready: Home) -> None:
    ready.start("codex", "app-server")
    shared = ready.pid
    ready.start("codex")
    pids = [each["pid"] for each in ready.doctor("codex").cli("codex")["processes"]]
    assert ready.pid in pids
    assert shared not in pids
