"""The rules of ``aimond doctor``, fact by fact."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aimond.agents.claude_code.settings import SETTINGS as CLAUDE
from aimond.agents.codex.settings import SETTINGS as CODEX
from aimond.agents.gemini_cli.settings import SETTINGS as GEMINI
from aimond.agents.settings import Configured, Wanted
from aimond.commands import doctor_findings, doctor_layers
from aimond.commands.doctor_facts import Cli, Facts, Finding, Health, Monitor, Process, Program
from aimond.commands.doctor_verdicts import verdict

NOW = 1_800_000_000.0
RUNS, DOWN = Monitor(version="1"), Monitor(why="aimond is not running; start it with `aimond run`")
SET_UP = Configured(True, "http://127.0.0.1:4318", "http/protobuf", True, {"Stop": ("hook.py",)})
WELL = Cli("claude", "Claude Code", path="/bin/claude", version="2.1.330", files="~/x", now=SET_UP, after=SET_UP)


def told(cli: Cli, monitor: Monitor = RUNS) -> list[Finding]:
    return doctor_findings.of_cli(Facts(NOW, monitor, (cli,)), cli)


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.severity == "wrong"]


def test_who_is_well_has_nothing_wrong() -> None:
    cli = replace(WELL, health=Health("ok", NOW - 5, 3, 0, 2, NOW - 61), programs=(Program("c", seconds=0.02),))
    findings = told(cli)
    assert wrong(findings) == doctor_findings.todos(findings) == []
    assert {(finding.about, finding.what) for finding in findings} >= {
        ("last record", "5s ago, 3 since the monitor was started"),
        ("heard", "2 hooks, the last 1m ago"),
        ("hook program", "works, 20 ms"),
    }


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"prices": "genai-prices 1 (2026-11-09), 1 day old"}, ("ok", "genai-prices 1 (2026-11-09), 1 day old")),
        ({"prices": "p", "stale": "the price table is 99 days old"}, ("note", "the price table is 99 days old")),
    ],
)
def test_how_old_the_prices_are_is_told(more: dict[str, str], found: tuple[str, str]) -> None:
    findings = doctor_findings.of_monitor(replace(RUNS, **more), has_hooks=False)
    assert [(each.severity, each.what) for each in findings if each.about == "prices"] == [found]


def test_settings_that_the_monitor_could_not_take_are_wrong_until_it_reads_right_ones() -> None:
    refused = replace(RUNS, refused="config.toml: log.level: bad")
    (finding,) = [each for each in doctor_findings.of_monitor(refused, has_hooks=False) if each.severity == "wrong"]
    assert "log.level: bad" in finding.what
    assert "reload" in finding.todo
    still = doctor_findings.of_monitor(replace(refused, config="log.level: bad"), has_hooks=False)
    assert [each.todo for each in still if each.severity == "wrong"] == ["mend config.toml: see docs/config.md"]


def test_what_is_neither_installed_nor_set_up_is_a_note() -> None:
    (finding,) = told(Cli("claude", "Claude Code"))
    assert (finding.severity, finding.todo) == ("note", "")


def test_what_is_set_up_and_not_installed_is_a_note() -> None:
    assert wrong(told(replace(WELL, path="", version=""))) == []


ELSEWHERE = Configured(True, "http://otel.example", "grpc")
OFF = Configured()


@pytest.mark.parametrize(
    ("more", "what", "todo"),
    [
        ({"now": OFF}, "off", "aimond setup claude"),
        ({"now": OFF, "after": OFF, "left": ("it is off on purpose",)}, "off: it is off on purpose", "change that"),
        ({"now": ELSEWHERE}, "goes to http://otel.example, grpc, which is not aimond", "aimond setup claude"),
        ({"now": ELSEWHERE, "after": ELSEWHERE, "set_by": ("OTEL_X",)}, "goes to", "change that in OTEL_X: "),
        ({"wants_grpc": True, "set_by": ("~/y",)}, "speaks http/protobuf to the port for gRPC", "change that in ~/y"),
        ({"hooks_off": "a = true in ~/x"}, "none runs: a = true in ~/x", "take that out: a = true in ~/x"),
        ({"now": replace(SET_UP, missing=("Stop",))}, "missing: Stop", "aimond setup claude"),
        ({"now": replace(SET_UP, untrusted=("Stop",))}, "not trusted yet: Stop", "start Claude Code and trust"),
        ({"programs": (Program("c", gone="/x"),)}, "/x is gone", "aimond setup claude"),
        ({"programs": (Program("c", fault="exit status 1"),)}, "does not work: exit status 1", "aimond setup claude; "),
        ({"health": Health("silent", hooks=1)}, "hooks tell of a prompt, and no record", "restart the running Claude"),
        ({"broken": "~/x:2: no JSON"}, "~/x:2: no JSON", "mend ~/x:2"),
    ],
)
def test_what_is_wrong_says_what_to_do(more: dict[str, Any], what: str, todo: str) -> None:
    findings = told(replace(WELL, **more))
    assert wrong(findings)[0].startswith(what)
    assert doctor_findings.todos(findings)[0].startswith(todo)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"now": ELSEWHERE, "health": Health("ok", NOW, 3)}, "and yet it arrives"),
        ({"now": replace(SET_UP, missing=("X",)), "after": replace(SET_UP, missing=("X",))}, "missing: X"),
        ({"now": replace(SET_UP, notify="other")}, "notify runs another program"),
        ({"programs": (Program("c", seconds=0.25),)}, "takes 250 ms"),
        ({"health": Health("never")}, "none since the monitor was started"),
        ({"health": Health("ok", NOW, 9, unknown=4)}, "4 of 9 records"),
        ({"would_change": True}, "`aimond setup claude` would change something"),
        ({"version": ""}, "/bin/claude, of unknown version"),
    ],
)
def test_what_is_worth_a_note_needs_nothing_done(more: dict[str, Any], what: str) -> None:
    findings = told(replace(WELL, **more))
    assert doctor_findings.todos(findings) == []
    assert any(what in finding.what for finding in findings if finding.severity == "note")


def test_without_a_monitor_nothing_is_said_of_what_it_would_have_heard() -> None:
    assert not {"heard", "last record"} & {finding.about for finding in told(WELL, DOWN)}


ALIVE = Process(7, age=600)


@pytest.mark.parametrize(
    ("process", "severity", "what"),
    [
        (replace(ALIVE, session="s"), "ok", "seen"),
        (replace(ALIVE, session="s", before_setup=True), "ok", "seen"),
        (replace(ALIVE, apart="another HOME", before_setup=True), "note", "reads other settings, of another HOME"),
        (replace(ALIVE, variable="V", sends_to="http://x"), "wrong", "sends to http://x: its V"),
        (replace(ALIVE, before_setup=True, before_monitor=True), "wrong", "silent: started before `aimond setup`"),
        (replace(ALIVE, before_monitor=True), "note", "has sent nothing since the monitor was started"),
        (replace(ALIVE, age=59), "note", "has sent nothing yet"),
        (replace(ALIVE, age=61), "wrong", "alive but silent"),
    ],
)
def test_a_process_is_judged(process: Process, severity: str, what: str) -> None:
    assert verdict(Facts(NOW, RUNS), WELL, process) == (severity, what)


@pytest.mark.parametrize(
    ("cli", "monitor", "what"),
    [
        (WELL, DOWN, "running, and nobody listens"),
        (replace(WELL, now=OFF), RUNS, "running, and not set up"),
        (replace(WELL, placeless=True), RUNS, "perhaps one of the sessions whose process is not known"),
        (replace(WELL, now=replace(ELSEWHERE, hooks={"Stop": ("x",)})), RUNS, "has told of no hook yet"),
    ],
)
def test_a_silent_process_may_have_its_reasons(cli: Cli, monitor: Monitor, what: str) -> None:
    assert verdict(Facts(NOW, monitor), cli, ALIVE) == ("note", what)


def test_several_of_a_kind_are_told_together_and_each_advice_once() -> None:
    findings = told(replace(WELL, health=Health("silent", hooks=1), processes=(ALIVE, replace(ALIVE, pid=8))))
    assert "alive but silent: pid 7, 8" in wrong(findings)
    assert doctor_findings.todos(findings) == ["restart the 2 running Claude Code sessions"]


# -- layers -------------------------------------------------------------------------------------------

WANTED = Wanted("http://127.0.0.1:4318", "http://127.0.0.1:4317", ("python", "aimond/commands/hook.py", "codex"))
HERE = "http://127.0.0.1:4318"


def codex(url: str) -> str:
    return f'[otel]\nexporter = {{ otlp-http = {{ endpoint = "{url}/v1/logs", protocol = "binary" }} }}\n'


def gemini(url: str) -> str:
    return json.dumps({"telemetry": {"otlpEndpoint": url}})


def test_the_systems_file_counts_before_a_projects_and_that_before_the_users() -> None:
    files = GEMINI.add({}, WANTED).files
    project, system = "/p/.gemini/settings.json", "/etc/gemini-cli/settings.json"
    for others, endpoint, by in (
        ({}, "http://127.0.0.1:4317", "~/.gemini/settings.json"),
        ({project: gemini("http://p")}, "http://p", project),
        ({system: gemini("http://s"), project: gemini("http://p")}, "http://s", system),
    ):
        wanted = replace(WANTED, others=others)
        assert doctor_layers.effective(GEMINI, files, wanted).endpoint == endpoint
        assert doctor_layers.decided_by(GEMINI, files, wanted, "~/.gemini")[0] == by


def test_where_the_cli_ignores_a_projects_file_the_systems_still_counts() -> None:
    to_x = json.dumps({"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x/v1/logs"}})
    for cli, files, text, project, system in (
        (CODEX, {"config.toml": codex(HERE)}, codex("http://x"), ".codex/config.toml", "codex/managed_config.toml"),
        (CLAUDE, CLAUDE.add({}, WANTED).files, to_x, ".claude/settings.json", "claude-code/managed-settings.json"),
    ):
        below, above = (replace(WANTED, others={path: text}) for path in (f"/p/{project}", f"/etc/{system}"))
        assert doctor_layers.effective(cli, files, below).arrives
        assert doctor_layers.effective(cli, files, above).endpoint == "http://x/v1/logs"


def test_hooks_are_those_of_the_users_own_file() -> None:
    files = CODEX.add({}, WANTED).files
    wanted = replace(WANTED, others={"/etc/codex/managed_config.toml": codex("http://s")})
    assert doctor_layers.effective(CODEX, files, wanted).missing == ()
    assert doctor_layers.effective(CODEX, files, wanted).arrives is False


def test_several_that_say_the_same_are_the_users_own_settings() -> None:
    env = CLAUDE.add({}, WANTED)
    own = env.files["settings.json"]
    wanted = replace(WANTED, others={"/etc/claude-code/managed-settings.json": own})
    assert doctor_layers.decided_by(CLAUDE, env.files, wanted, "~/.claude") == ("~/.claude/settings.json",)


def test_of_shell_and_settings_the_variable_counts_for_gemini_and_the_settings_for_claude() -> None:
    wanted = replace(WANTED, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "PATH": "/bin"})
    for cli, by in ((GEMINI, ["OTEL_EXPORTER_OTLP_ENDPOINT", "~/settings.json"]), (CLAUDE, ["~/settings.json"])):
        files = cli.add({}, WANTED).files
        assert list(doctor_layers.decided_by(cli, files, wanted, "~")) == by


@pytest.mark.parametrize(
    ("cli", "text", "said"),
    [
        (CLAUDE, '{"disableAllHooks": true}', "disableAllHooks = true in ~/settings.json"),
        (CLAUDE, '{"disableAllHooks": false}', ""),
        (CODEX, "[features]\nhooks = false\n", "features.hooks = false in ~/config.toml"),
        (GEMINI, '{"hooksConfig": {"enabled": false}} // so', "hooksConfig.enabled = false in ~/settings.json"),
        (GEMINI, "{", ""),
    ],
)
def test_the_setting_that_stops_hooks_is_found(cli: Any, text: str, said: str) -> None:
    assert doctor_layers.hooks_off(cli, {cli.files[0]: text}, WANTED, "~") == said


@pytest.mark.parametrize(
    ("state", "dropped", "severity", "says"),
    [
        ("ok", 0, "ok", "takes what is sent"),
        ("ok", 3, "note", "3 requests lost"),
        ("retrying", 0, "note", "retrying: refused"),
        ("dropping", 7, "wrong", "dropping: refused; 7 requests lost"),
    ],
)
def test_an_upstream_that_does_not_take_it_is_told(state: str, dropped: int, severity: str, says: str) -> None:
    monitor = replace(RUNS, forward=state, forward_error="refused", forward_dropped=dropped)
    (finding,) = [each for each in doctor_findings.of_monitor(monitor, has_hooks=False) if each.about == "forwards"]
    assert finding.severity == severity and says in finding.what


def test_nobody_is_told_of_an_upstream_that_nobody_wants() -> None:
    monitor = replace(RUNS, forward="off")
    assert [each for each in doctor_findings.of_monitor(monitor, has_hooks=False) if each.about == "forwards"] == []
