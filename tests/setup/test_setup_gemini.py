"""What Gemini CLI's settings and its .env get, and whose telemetry is left as it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from home import FILES, GRPC, HTTP, OWN, Home, wanted

from aimond.agents.gemini_cli.settings import ASKING, HOOKS, add, reading, remove
from aimond.agents.settings import Edit, Past, Wanted

EVENTS = [hook.event for hook in HOOKS]
WANTED = wanted("gemini")
TELEMETRY = {
    "enabled": True,
    "target": "local",
    "otlpEndpoint": GRPC,
    "otlpProtocol": "grpc",
    "logPrompts": False,
}
DELAY = "OTEL_BSP_SCHEDULE_DELAY=300\n"


def added(settings: Any, dotenv: str | None = None, **more: Any) -> tuple[dict[str, Any], Edit]:
    files = {"settings.json": json.dumps(settings), **({} if dotenv is None else {".env": dotenv})}
    edit = add(files, wanted("gemini", **more))
    return json.loads(edit.files["settings.json"]), edit


def test_an_empty_file_gets_telemetry_and_hooks_and_nothing_else() -> None:
    now, edit = added({})
    handler = {"name": "aimond", "type": "command", "command": WANTED.command, "timeout": 3000}
    assert now["telemetry"] == TELEMETRY
    assert {event: groups[0]["hooks"] for event, groups in now["hooks"].items()} == {
        event: [handler] for event in EVENTS
    }
    assert [*now] == ["telemetry", "hooks"]
    assert (edit.files[".env"], edit.left, edit.todo) == (DELAY, (), ())


def test_a_hook_after_tools_runs_only_for_those_that_may_ask() -> None:
    now, _ = added({})
    assert [event for event, groups in now["hooks"].items() if "matcher" in groups[0]] == ["AfterTool"]
    asking = re.compile(now["hooks"]["AfterTool"][0]["matcher"])
    assert [name for name in ("run_shell_command", "replace", "mcp_github_create") if not asking.search(name)] == []
    assert [name for name in ("read_file", "glob", "list_directory", "google_web_search") if asking.search(name)] == []


def test_the_tools_that_ask_are_brought_up_to_date() -> None:
    now, _ = added({})
    now["hooks"]["AfterTool"][0]["matcher"] = "old"
    again, _ = added(now)
    assert again["hooks"]["AfterTool"][0]["matcher"] == ASKING


def test_comments_stay_where_they_are() -> None:
    edit = add({"settings.json": OWN["gemini"]}, WANTED)
    text = edit.files["settings.json"]
    assert [
        mark for mark in ("// what it looks like\n", "}, /* dark */\n", "// for myself\n") if mark not in text
    ] == []
    assert edit.left == ("telemetry.logPrompts is True: left so",)
    assert remove(edit.files, WANTED).files["settings.json"] == OWN["gemini"]


# -- the user's telemetry ---------------------------------------------------------------------------

ELSEWHERE: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("a collector", {"otlpEndpoint": "https://k:s@c.corp"}, {}, "goes to https://c.corp (telemetry.otlpEndpoint)"),
    (
        "a collector that the environment names",
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.corp"},
        "goes to https://c.corp (OTEL_EXPORTER_OTLP_ENDPOINT in the environment)",
    ),
    (
        "Gemini CLI's own variable, which counts first",
        {},
        {"GEMINI_TELEMETRY_OTLP_ENDPOINT": "https://g.corp", "OTEL_EXPORTER_OTLP_ENDPOINT": HTTP},
        "goes to https://g.corp (GEMINI_TELEMETRY_OTLP_ENDPOINT in the environment)",
    ),
    ("Google", {"enabled": True, "target": "gcp"}, {}, "telemetry.target is 'gcp'"),
    ("a file", {}, {"GEMINI_TELEMETRY_OUTFILE": "/x"}, "GEMINI_TELEMETRY_OUTFILE in the environment is '/x'"),
    ("switched off", {"enabled": False}, {}, "switched off (telemetry.enabled)"),
    ("switched off outside", {}, {"GEMINI_TELEMETRY_ENABLED": "false"}, "switched off (GEMINI_TELEMETRY_ENABLED"),
]


@pytest.mark.parametrize(("own", "shell", "said"), [case[1:] for case in ELSEWHERE], ids=[c[0] for c in ELSEWHERE])
def test_telemetry_that_goes_elsewhere_is_left_and_the_hooks_are_added(
    own: dict[str, Any], shell: dict[str, str], said: str
) -> None:
    now, edit = added({"telemetry": own}, environment=shell)
    assert now["telemetry"] == own
    assert [*now["hooks"]] == EVENTS
    assert ".env" not in edit.files
    assert said in edit.left[0]
    assert "k:s" not in edit.left[0]


def test_a_dotenv_is_environment_too() -> None:
    _, edit = added({}, "export OTEL_EXPORTER_OTLP_ENDPOINT='https://c.corp' # ours\n")
    assert "goes to https://c.corp" in edit.left[0]


@pytest.mark.parametrize(
    ("own", "shell", "endpoint", "protocol"),
    [
        ({"enabled": True}, {}, GRPC, "grpc"),
        ({"otlpEndpoint": "http://localhost:4317"}, {}, "http://localhost:4317", "grpc"),
        ({"otlpEndpoint": HTTP}, {}, HTTP, "http"),
        ({"otlpProtocol": "http"}, {}, HTTP, "http"),
        # What Claude Code's users export would make it speak gRPC to the port for HTTP.
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, "http://localhost:4318", "http"),
    ],
)
def test_what_comes_here_already_is_completed(
    own: dict[str, Any], shell: dict[str, str], endpoint: str, protocol: str
) -> None:
    now, edit = added({"telemetry": own}, environment=shell)
    assert now["telemetry"] == {**TELEMETRY, "otlpEndpoint": endpoint, "otlpProtocol": protocol}
    assert edit.left == ()


def test_what_keeps_settings_from_counting_is_told() -> None:
    now = {"hooksConfig": {"enabled": False, "disabled": ["aimond"]}}
    _, edit = added(now, others={"/w/.gemini/settings.json": '{"telemetry": {} /* c */}', "/x": "{"})
    assert edit.left == (
        "hooksConfig.enabled is false: no hook runs, nor does aimond's",
        "hooksConfig.disabled names aimond: its hooks do not run",
        "/w/.gemini/settings.json sets telemetry: that counts before your own settings",
    )


# -- .env ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("GEMINI_API_KEY=mine\n", f"GEMINI_API_KEY=mine\n{DELAY}"),
        ("GEMINI_API_KEY=mine", f"GEMINI_API_KEY=mine\n{DELAY}"),
        ("A=1\r\n", "A=1\r\nOTEL_BSP_SCHEDULE_DELAY=300\r\n"),
        (f"{DELAY}B=1\n", f"{DELAY}B=1\n"),
        (" export OTEL_BSP_SCHEDULE_DELAY = 300\n", " export OTEL_BSP_SCHEDULE_DELAY = 300\n"),
    ],
)
def test_the_delay_of_spans_is_one_line_more(home: Home, before: str, after: str) -> None:
    home.write(".gemini/.env", before)
    home.setup("gemini")
    assert home.read(".gemini/.env") == after
    home.setup("gemini", "--remove")
    assert home.read(".gemini/.env") == before


def test_a_delay_of_the_users_stays() -> None:
    _, edit = added({}, "OTEL_BSP_SCHEDULE_DELAY=1000\n")
    assert ".env" not in edit.files
    assert edit.left == ("OTEL_BSP_SCHEDULE_DELAY is '1000': left so",)
    _, edit = added({}, environment={"OTEL_BSP_SCHEDULE_DELAY": "300"})
    assert ".env" not in edit.files


def test_a_new_dotenv_does_not_hide_the_one_in_the_home(home: Home) -> None:
    home.write(".env", "GEMINI_API_KEY=mine\n")
    said = home.setup("gemini")
    assert not (home.path / ".gemini/.env").exists()
    assert "your .env is left alone: with OTEL_BSP_SCHEDULE_DELAY=300 in it" in said.out


def test_a_line_that_the_user_had_before_is_the_users() -> None:
    files = {"settings.json": "{}", ".env": DELAY}
    after = {**files, **add(files, WANTED).files}
    past = Past({"settings.json": "{}"}, {"settings.json": after["settings.json"]})
    edited = {**after, ".env": f"{DELAY}A=1\n"}
    assert ".env" not in remove(edited, wanted("gemini", past=past)).files


# -- reading ----------------------------------------------------------------------------------------


def test_what_is_configured_can_be_read() -> None:
    nothing = reading({}, WANTED)
    assert (nothing.enabled, nothing.endpoint, nothing.missing) == (False, "", tuple(EVENTS))
    done = reading(add({}, WANTED).files, WANTED)
    assert (done.enabled, done.endpoint, done.protocol, done.arrives) == (True, GRPC, "grpc", True)
    assert ([*done.hooks], done.missing) == (EVENTS, ())
    text = '{"telemetry": {"enabled": true, "otlpProtocol": "http"}}'
    other = reading({"settings.json": text}, Wanted("http://127.0.0.1:1", "", WANTED.program))
    assert (other.endpoint, other.protocol, other.arrives) == ("http://localhost:4317", "http", False)


def test_its_own_home_directory_is_not_taken_for_a_workspace(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write(FILES["gemini"], '{"telemetry": {}}')
    monkeypatch.chdir(home.path)
    assert "counts before" not in home.setup("gemini").out
    home.write("work/.gemini/settings.json", '{"telemetry": {}}')
    monkeypatch.chdir(home.path / "work")
    assert "/work/.gemini/settings.json sets telemetry" in home.setup("gemini").out
