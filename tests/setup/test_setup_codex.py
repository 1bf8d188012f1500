"""What Codex CLI's config.toml gets, in whatever way it is written, and what its users keep."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from home import FILES, GRPC, HTTP, OWN, Home, wanted

from aimond.agents.codex.settings import HOOKS, TRUST, add, reading, remove
from aimond.agents.settings import Edit, Past, Wanted

EVENTS = [hook.event for hook in HOOKS]
WANTED = wanted("codex")
LOGS = {"otlp-http": {"endpoint": f"{HTTP}/v1/logs", "protocol": "binary"}}
TRACES = {"otlp-http": {"endpoint": f"{HTTP}/v1/traces", "protocol": "binary"}}
HANDLER = {"type": "command", "command": WANTED.command, "timeout": 3}
OURS = {
    "notify": list(WANTED.program),
    "otel": {"exporter": LOGS, "trace_exporter": TRACES},
    "hooks": {event: [{"hooks": [HANDLER]}] for event in EVENTS},
}


def added(text: str, **more: Any) -> tuple[dict[str, Any], Edit]:
    edit = add({"config.toml": text}, wanted("codex", **more))
    return tomllib.loads(edit.files["config.toml"]), edit


def test_an_empty_file_gets_telemetry_hooks_and_notify_and_nothing_else() -> None:
    now, edit = added("")
    assert now == OURS
    assert (edit.left, edit.todo) == ((), (TRUST,))


# Ways to write one's own settings, and whether all bytes come back when nothing but the text is known.
SHAPES = {
    "a table": '[otel]\nenvironment = "dev"\n\n# about the screen\n[tui]\na = 1\n',
    "an empty table": "[otel]\n[tui]\na = 1\n",
    "an inline table": 'otel = { environment = "dev" }\n',
    "a long inline value": 'notify_not = [\n  "a", # b = c ]\n  """d\n[otel]\n""",\n]\n[tui]\na = 1\n',
    "dotted keys": 'otel.environment = "dev"\nmodel = "x"\n',
    "tables within": '[otel.span_attributes]\na = "b"\n',
    "hooks as tables": '[[hooks.Stop]]\nmatcher = "x"\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "mine"\n',
    "hooks in two places": '[[hooks.Stop]]\nhooks = [{ command = "a" }]\n[tui]\nb = 1\n[[hooks.Stop]]\nhooks = []\n',
    "hooks as arrays": '[hooks]\nStop = [{ hooks = [{ type = "command", command = "mine" }] }]\n',
    "hooks as long arrays": '[hooks]\nStop = [\n  { hooks = [{ type = "command", command = "mine" }] }, # mine\n]\n',
    "hooks in one line": 'hooks = { Stop = [{ hooks = [{ type = "command", command = "mine" }] }] }\nmodel = "x"\n',
    "hooks of dotted keys": 'hooks.Stop = [{ hooks = [{ type = "command", command = "mine" }] }]\n',
    "an event without hooks": "[[hooks.Stop]]\nhooks = []\n",
    "trust": '[hooks.state]\n[hooks.state."/c.toml:stop:0:0"]\ntrusted_hash = "sha256:1"\n',
    "quoted keys": '["otel"]\n"environment" = \'dev\'\n["x.y".\'z\']\n"a b" = 1\n',
    "only a comment": "# nothing yet\n",
    "two empty lines at the end": 'model = "x"\n\n\n',
    "comments all over": "# top\n\n[tui] # screen\n# before a\na = 1 # after a\n# last\n",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_however_it_is_written_all_of_it_means_what_it_meant(text: str) -> None:
    before, (now, edit) = tomllib.loads(text), added(text)
    for key, value in before.items():
        if key not in ("otel", "hooks"):
            assert now[key] == value
    assert now["otel"] == {**before.get("otel", {}), **OURS["otel"]}
    hooks = before.get("hooks", {})
    assert {event: now["hooks"][event][: len(groups)] for event, groups in hooks.items() if event != "state"} == {
        event: groups for event, groups in hooks.items() if event != "state"
    }
    assert all(now["hooks"][event][-1] == {"hooks": [HANDLER]} for event in EVENTS)
    assert add(edit.files, WANTED).files == {}
    past = Past({"config.toml": text}, edit.files)
    back = remove(edit.files, wanted("codex", past=past)).files["config.toml"]
    assert re.sub(" +}", " }", back) == text  # tomlkit leaves spaces in inline tables


def test_a_comment_stays_with_what_it_is_about() -> None:
    text = add({"config.toml": OWN["codex"]}, WANTED).files["config.toml"]
    assert (
        '# how it looks\n[tui]\ntheme = "dark"\n\n[otel]\nenvironment = "dev"\nmetrics_exporter = "none"\nexporter'
        in text
    )


def test_what_the_user_sends_to_others_is_not_touched() -> None:
    elsewhere = (
        '[otel]\nexporter = { otlp-grpc = { endpoint = "https://k:s@collector.corp" } }\ntrace_exporter = "none"\n'
    )
    now, edit = added(elsewhere + 'metrics_exporter = "statsig"\n')
    assert now["otel"] == tomllib.loads(elsewhere + 'metrics_exporter = "statsig"\n')["otel"]
    assert edit.left == (
        "otel.exporter is https://collector.corp: left so; no logs for aimond",
        f"let that collector pass a copy on to {HTTP}/v1/logs",
    )


def test_logs_that_go_elsewhere_get_no_ids_of_spans_put_into_them() -> None:
    now, _ = added('[otel]\nexporter = { otlp-grpc = { endpoint = "https://collector.corp" } }\n')
    assert [*now["otel"]] == ["exporter"]


def test_an_exporter_that_is_off_stays_off() -> None:
    now, edit = added('[otel]\nexporter = "none"\n')
    assert now["otel"] == {"exporter": "none", "trace_exporter": TRACES}
    assert edit.left == ("otel.exporter is 'none': left so; no logs for aimond",)


def test_an_exporter_that_leads_here_is_fine_as_it_is() -> None:
    text = '[otel.exporter.otlp-grpc]\nendpoint = "http://localhost:4317"\n'
    now, edit = added(text)
    assert now["otel"]["exporter"] == {"otlp-grpc": {"endpoint": "http://localhost:4317"}}
    assert edit.left == ()
    edit = add({}, Wanted("", GRPC, WANTED.program))
    assert tomllib.loads(edit.files["config.toml"])["otel"]["exporter"] == {"otlp-grpc": {"endpoint": GRPC}}


@pytest.mark.parametrize("notify", ['["notify-send", "done"]', '"a string"', "[]"])
def test_the_users_notify_program_stays(notify: str) -> None:
    now, edit = added(f"notify = {notify}\n")
    assert now["notify"] == tomllib.loads(f"x = {notify}")["x"]
    assert edit.left == ("notify runs a program of yours: left so; the hooks tell more (0.124.0 and newer)",)
    assert remove(edit.files, WANTED).files["config.toml"] == f"notify = {notify}\n"


def test_a_notify_program_of_an_older_installation_is_ours() -> None:
    now, edit = added('notify = ["/old/python", "/old/aimond/commands/hook.py", "codex"] # aimond\n')
    assert now["notify"] == OURS["notify"]
    assert "# aimond" in edit.files["config.toml"]


def test_what_keeps_hooks_or_settings_from_counting_is_told() -> None:
    text = '[features]\nhooks = false\n[profiles.work.otel]\nexporter = "none"\n'
    _, edit = added(text, others={"/etc/managed_config.toml": 'notify = ["x"]', "/x": "="})
    assert edit.left == (
        "features.hooks is false: no hook runs, nor does aimond's",
        "profiles.work.otel counts instead while that profile is used",
        "/etc/managed_config.toml sets notify: that counts before your own settings",
    )


# -- hooks.json -------------------------------------------------------------------------------------


def test_hooks_go_where_the_users_are_as_codex_complains_of_two_places(home: Home) -> None:
    mine = '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}}'
    home.write(".codex/hooks.json", mine)
    home.setup("codex")
    assert "hooks" not in tomllib.loads(home.read(FILES["codex"]))
    hooks = home.json(".codex/hooks.json")["hooks"]
    assert [*hooks] == ["Stop", *(event for event in EVENTS if event != "Stop")]
    assert home.setup("codex").out.startswith("Codex CLI: nothing to do")
    home.setup("codex", "--remove")
    assert home.read(".codex/hooks.json") == mine
    assert not (home.path / FILES["codex"]).exists()


def test_hooks_move_when_the_user_begins_a_hooks_json(home: Home) -> None:
    home.setup("codex")
    home.write(".codex/hooks.json", "{}\n")
    home.setup("codex")
    assert "hooks" not in tomllib.loads(home.read(FILES["codex"]))
    assert [*home.json(".codex/hooks.json")["hooks"]] == EVENTS
    home.setup("codex", "--remove")
    assert home.read(".codex/hooks.json") == "{}\n"
    assert not (home.path / FILES["codex"]).exists()


# -- trust ------------------------------------------------------------------------------------------


def trusted(text: str, file: str = "config.toml", number: int = 0) -> str:
    """As Codex CLI 0.169.0 writes that its user trusts all hooks."""
    names = {"SessionStart": "session_start", "UserPromptSubmit": "user_prompt_submit", "Stop": "stop"}
    names |= {"PermissionRequest": "permission_request", "Interrupt": "interrupt", "SessionEnd": "session_end"}
    tables = [f'[hooks.state."/h/{file}:{name}:{number}:0"]\ntrusted_hash = "sha256:1"\n' for name in names.values()]
    return text + "\n[hooks.state]\n\n" + "\n".join(tables)


def test_the_user_is_told_to_trust_the_hooks_until_that_is_done() -> None:
    files = dict(add({}, WANTED).files)
    assert add(files, WANTED) == Edit({}, (), (TRUST,))
    files["config.toml"] = trusted(files["config.toml"])
    assert add(files, WANTED) == Edit({}, (), ())
    newer = Wanted(HTTP, GRPC, ("/new/python", *WANTED.program[1:]))
    assert add(files, newer).todo == (TRUST,)


def test_trust_goes_with_the_hooks(home: Home) -> None:
    home.write(FILES["codex"], 'model = "x"\n')
    home.setup("codex")
    home.write(FILES["codex"], trusted(home.read(FILES["codex"])) + '\n[projects."/p"]\ntrust_level = "trusted"\n')
    assert "next:" not in home.setup("codex").out
    home.setup("codex", "--remove")
    assert home.read(FILES["codex"]) == 'model = "x"\n\n[projects."/p"]\ntrust_level = "trusted"\n'


def test_the_trust_in_other_hooks_stays() -> None:
    text = '[[hooks.Stop]]\nhooks = [{ command = "mine" }]\n\n[hooks.state."/h/config.toml:stop:0:0"]\nenabled = true\n'
    edit = add({"config.toml": text}, WANTED)
    both = trusted(edit.files["config.toml"], number=1).replace("\n[hooks.state]\n", "")
    assert remove({"config.toml": both.replace("start:1", "start:0")}, WANTED).files["config.toml"].startswith(text)


# -- reading ----------------------------------------------------------------------------------------


def test_what_is_configured_can_be_read() -> None:
    nothing = reading({}, WANTED)
    assert (nothing.enabled, nothing.endpoint, nothing.notify, nothing.missing) == (False, "", "", tuple(EVENTS))
    files = dict(add({}, WANTED).files)
    done = reading(files, WANTED)
    assert (done.enabled, done.endpoint, done.protocol) == (True, f"{HTTP}/v1/logs", "http/binary")
    assert (done.arrives, done.notify, done.missing, done.untrusted) == (True, "aimond", (), tuple(EVENTS))
    assert reading({"config.toml": trusted(files["config.toml"])}, WANTED).untrusted == ()
    text = 'notify = ["x"]\notel.exporter = { otlp-grpc = { endpoint = "https://c" } }\n'
    hooks = {"hooks": {"Stop": [{"hooks": [HANDLER, {"command": "mine"}]}]}}
    other = reading({"config.toml": text, "hooks.json": json.dumps(hooks)}, WANTED)
    assert (other.endpoint, other.protocol, other.arrives, other.notify) == ("https://c", "grpc", False, "other")
    assert (other.hooks, other.other_hooks) == ({"Stop": (WANTED.command,)}, ("Stop",))
