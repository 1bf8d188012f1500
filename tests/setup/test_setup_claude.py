"""What Claude Code's settings get, and whose telemetry is left as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from home import FILES, GRPC, HTTP, Home, wanted

from aimond.agents.claude_code.settings import ENV, HOOKS, add, reading, remove
from aimond.agents.settings import Edit, Wanted, is_ours

EVENTS = [hook.event for hook in HOOKS]


def added(settings: Any, **more: Any) -> tuple[dict[str, Any], Edit]:
    edit = add({"settings.json": json.dumps(settings)}, wanted(**more))
    return json.loads(edit.files["settings.json"]), edit


def test_an_empty_file_gets_telemetry_and_hooks_and_nothing_else() -> None:
    now, edit = added({})
    assert now == {
        "env": {**ENV, "OTEL_EXPORTER_OTLP_ENDPOINT": HTTP},
        "hooks": {
            event: [{"hooks": [{"type": "command", "command": wanted().command, "timeout": 3}]}] for event in EVENTS
        },
    }
    assert (edit.left, edit.todo) == ((), ())


def test_no_prompt_and_no_metric_is_asked_for() -> None:
    assert [key for key in ENV if "PROMPT" in key or "METRIC" in key or "LOG_" in key] == []


# -- the user's telemetry ---------------------------------------------------------------------------

ELSEWHERE: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (
        "a collector",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:secret@collector.corp:4318/in?token=1"},
        {},
        "goes to https://collector.corp:4318 (env.OTEL_EXPORTER_OTLP_ENDPOINT)",
    ),
    (
        "a collector that the shell names",
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.corp"},
        "goes to https://collector.corp (OTEL_EXPORTER_OTLP_ENDPOINT in your environment)",
    ),
    (
        "a collector for logs alone",
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://10.0.0.1:4318/v1/logs"},
        {},
        "goes to http://10.0.0.1:4318",
    ),
    (
        "another port of this machine",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:14318"},
        {},
        "goes to http://localhost:14318",
    ),
    (
        "switched off",
        {"CLAUDE_CODE_ENABLE_TELEMETRY": "0"},
        {},
        "switched off (env.CLAUDE_CODE_ENABLE_TELEMETRY)",
    ),
    ("written to the console", {"OTEL_LOGS_EXPORTER": "console"}, {}, "env.OTEL_LOGS_EXPORTER is 'console'"),
    ("no address at all", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, {}, "an address that cannot be read"),
]


@pytest.mark.parametrize(("env", "shell", "said"), [case[1:] for case in ELSEWHERE], ids=[c[0] for c in ELSEWHERE])
def test_telemetry_that_goes_elsewhere_is_left_and_the_hooks_are_added(
    env: dict[str, str], shell: dict[str, str], said: str
) -> None:
    now, edit = added({"env": env}, environment=shell)
    assert now["env"] == env
    assert [*now["hooks"]] == EVENTS
    (left,) = edit.left
    assert said in left
    assert "aimond hears the hooks only" in left
    assert "secret" not in left
    assert "token" not in left


def test_where_metrics_go_by_default_counts_as_the_users_telemetry() -> None:
    env = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_METRICS_EXPORTER": "otlp"}
    here, _ = added({"env": env})
    assert here["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == HTTP  # it is the default already
    elsewhere = Wanted("http://127.0.0.1:5318", "", wanted().program)
    edit = add({"settings.json": json.dumps({"env": env})}, elsewhere)
    assert json.loads(edit.files["settings.json"])["env"] == env
    assert "goes to http://localhost:4318" in edit.left[0]


def test_metrics_alone_may_go_elsewhere() -> None:
    env = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://collector.corp/v1/metrics", "OTEL_METRICS_EXPORTER": "otlp"}
    now, edit = added({"env": env})
    assert now["env"] == {**env, **ENV, "OTEL_EXPORTER_OTLP_ENDPOINT": HTTP}
    assert edit.left == ()


@pytest.mark.parametrize(
    ("env", "endpoint", "protocol"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, "http://localhost:4318", "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4317"}, "http://[::1]:4317", "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GRPC, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, HTTP, "http/json"),
    ],
)
def test_what_comes_here_already_is_completed(env: dict[str, str], endpoint: str, protocol: str) -> None:
    now, edit = added({"env": env})
    expected = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    assert now["env"] == {**ENV, **expected}
    assert edit.left == ()


def test_a_value_of_the_users_stays_in_the_file_and_in_the_shell() -> None:
    now, edit = added(
        {"env": {"OTEL_LOGS_EXPORT_INTERVAL": "2000"}}, environment={"OTEL_TRACES_EXPORT_INTERVAL": "3000"}
    )
    assert now["env"]["OTEL_LOGS_EXPORT_INTERVAL"] == "2000"
    assert "OTEL_TRACES_EXPORT_INTERVAL" not in now["env"]
    assert edit.left == (
        "env.OTEL_LOGS_EXPORT_INTERVAL is '2000': left so",
        "OTEL_TRACES_EXPORT_INTERVAL is '3000' in your environment: left so",
    )


def test_what_counts_before_the_file_is_told() -> None:
    managed = {"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c"}, "allowManagedHooksOnly": True}
    _, edit = added({"disableAllHooks": True}, others={"/etc/managed.json": json.dumps(managed), "/x.json": "{"})
    assert edit.left == (
        "disableAllHooks is true: no hook runs, nor does aimond's",
        "/etc/managed.json sets OTEL_EXPORTER_OTLP_ENDPOINT: that counts before your own settings",
        "/etc/managed.json keeps hooks of your own from running: aimond hears the telemetry only",
    )


# -- hooks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "without"),
    [
        ((2, 1, 330), set()),
        ((2, 1, 78), set()),
        ((2, 1, 77), {"StopFailure"}),
        ((2, 0, 76), {"StopFailure"}),
        ((), {"StopFailure"}),
    ],
)
def test_a_version_gets_no_hook_that_it_does_not_know(version: tuple[int, ...], without: set[str]) -> None:
    now, _ = added({}, version=version)
    assert set(now["hooks"]) == set(EVENTS) - without


def test_a_version_that_nobody_has_looked_at_gets_no_hooks() -> None:
    now, edit = added({}, version=(2, 0, 75))
    assert [*now] == ["env"]
    assert "older than 2.0.76" in edit.left[0]


def test_an_older_version_loses_the_hook_that_would_void_its_settings() -> None:
    now, _ = added({}, version=(2, 1, 330))
    now, _ = added(now, version=(2, 1, 70))
    assert "StopFailure" not in now["hooks"]


def test_the_version_is_asked_of_the_program(home: Home) -> None:
    home.write("bin/claude", "#!/bin/sh\necho '2.1.99 (Claude Code)'\n").chmod(0o755)
    home.setup("claude")
    assert "StopFailure" in home.json(FILES["claude"])["hooks"]


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 3\n", "no program", "#!/bin/sh\nprintf '\\377'\n"])
def test_a_program_that_does_not_tell_its_version_is_no_failure(home: Home, script: str) -> None:
    home.write("bin/claude", script).chmod(0o755)
    assert home.setup("claude").status == 0
    assert "StopFailure" not in home.json(FILES["claude"])["hooks"]


def test_hooks_of_others_stay_and_come_first() -> None:
    mine = {"matcher": "x", "hooks": [{"type": "command", "command": "mine"}, {"type": "http", "url": "http://h"}]}
    now, _ = added({"hooks": {"Stop": [mine], "Other": "odd"}})
    assert now["hooks"]["Stop"][0] == mine
    assert len(now["hooks"]["Stop"]) == 2
    assert now["hooks"]["Other"] == "odd"


def test_two_hooks_of_ours_become_one() -> None:
    ours = {"type": "command", "command": "aimond hook claude"}
    now, _ = added({"hooks": {"Stop": [{"hooks": [ours]}, {"hooks": [ours, {"type": "command", "command": "mine"}]}]}})
    assert now["hooks"]["Stop"] == [
        {"hooks": [{"type": "command", "command": wanted().command, "timeout": 3}]},
        {"hooks": [{"type": "command", "command": "mine"}]},
    ]


def test_a_hook_of_another_that_stands_beside_ours_stays_when_ours_goes() -> None:
    ours = {"type": "command", "command": "aimond hook claude"}
    mine = {"type": "command", "command": "mine"}
    text = json.dumps({"hooks": {"Stop": [{"matcher": "", "hooks": [mine, ours]}], "SessionEnd": [{"hooks": [ours]}]}})
    edit = remove({"settings.json": text}, wanted())
    assert json.loads(edit.files["settings.json"]) == {"hooks": {"Stop": [{"matcher": "", "hooks": [mine]}]}}


OURS = [
    "aimond hook claude",
    "/usr/bin/aimond hook claude-code",
    '"/opt/a b/bin/python" -I -S "/opt/a b/aimond/commands/hook.py" claude',
    "python3 -m aimond hook codex",
    wanted().command,
    wanted("gemini").command,
    ["/usr/bin/python3", "/x/aimond/commands/hook.py", "codex"],
]
NOT_OURS = [
    "notify-send aimond hook",
    "aimond status",
    "notify-send done; aimond hook claude",
    "aimond hook claude && mine",
    "mine | aimond hook claude",
    "aimond hook claude > /tmp/log",
    "hook claude",
    "my-aimond hook claude",
    "it's broken",
    "",
    None,
    3,
    ["mine", "codex"],
    [],
]


@pytest.mark.parametrize("command", OURS)
def test_our_own_hook_is_known_wherever_it_was_installed(command: object) -> None:
    assert is_ours(command)


@pytest.mark.parametrize("command", NOT_OURS)
def test_nothing_else_is_taken_for_our_own(command: object) -> None:
    assert not is_ours(command)


# -- the command ------------------------------------------------------------------------------------


def test_the_hook_takes_the_shells_place_so_that_its_parent_is_the_cli(tmp_path: Path) -> None:
    script = tmp_path / "it's here" / "hook.py"
    script.parent.mkdir()
    script.write_text("import os, sys; print(os.getppid(), sys.argv[1:], sys.stdin.read())")
    command = Wanted(HTTP, GRPC, (sys.executable, "-I", "-S", str(script), "claude")).command
    for shell in ("sh", "bash"):
        process = subprocess.Popen([shell, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        told, _ = process.communicate(b"{}")
        assert told.decode().split() == [str(os.getpid()), "['claude']", "{}"]


@pytest.mark.parametrize("gone", ["script", "python"])
def test_after_aimond_is_gone_no_hook_blocks_anything(gone: str, tmp_path: Path) -> None:
    (tmp_path / "hook.py").touch()
    program = (
        sys.executable if gone == "script" else str(tmp_path / "python"),
        str(tmp_path / ("gone.py" if gone == "script" else "hook.py")),
        "claude",
    )
    done = subprocess.run(["sh", "-c", Wanted(HTTP, GRPC, program).command], capture_output=True, check=False)
    assert done.returncode != 2, "2 refuses the user's prompt"
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"") or gone == "python"


# -- reading ----------------------------------------------------------------------------------------


def test_what_is_configured_can_be_read() -> None:
    nothing = reading({}, wanted())
    assert (nothing.enabled, nothing.endpoint, nothing.arrives, nothing.hooks) == (False, "", False, {})
    assert nothing.missing == tuple(event for event in EVENTS if event != "StopFailure")
    now, _ = added({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}})
    done = reading({"settings.json": json.dumps(now)}, wanted())
    assert (done.enabled, done.endpoint, done.protocol, done.arrives) == (True, HTTP, "http/protobuf", True)
    assert [*done.hooks] == ["Stop", *(event for event in EVENTS if event != "Stop")]
    assert set(done.hooks.values()) == {(wanted().command,)}
    assert (done.missing, done.other_hooks) == ((), ("Stop",))
    shell = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1",
    }
    other = reading({}, wanted(environment=shell))
    assert (other.enabled, other.endpoint, other.arrives) == (True, "http://c:1", False)
