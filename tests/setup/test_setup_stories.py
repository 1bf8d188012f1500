"""``aimond setup`` in homes as users have them: what it changes, what it leaves, and how all of it is taken back."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from home import CLIS, FILES, OWN, Home

from aimond.__main__ import parser
from aimond.commands.setup import find

each_cli = pytest.mark.parametrize("cli", CLIS)

# Texts that a file may have, and its CLI accepts: each is given back byte for byte.
TEXTS = {
    "empty": "",
    "spaces": " \n\n",
    "no newline at the end": {"json": '{"a": 1}', "toml": 'model = "x"'},
    "windows": {"json": '{\r\n    "a": {}\r\n}\r\n', "toml": 'model = "x"\r\n\r\n[tui]\r\na = 1\r\n'},
    "byte order mark": {"json": '\ufeff{\n  "a": 1\n}\n', "toml": "\ufeff[tui]\na = 1\n"},
    "tabs": {"json": '{\n\t"a": [\n\t\t1\n\t]\n}', "toml": "\t[tui]\n\ta = 1\n"},
    "one line": {"json": '{"z":1,"hooks":{},"env":{}}', "toml": "tui = { a = 1 }\n"},
    "odd characters": {"json": '{"ü": "\\ud83d\\ude00 ☕"}', "toml": 'a = "☕"\n"ü.x" = 1\n'},
}


def text_of(case: str, cli: str) -> str:
    text = TEXTS[case]
    return text if isinstance(text, str) else text["toml" if cli == "codex" else "json"]


# -- a home with nothing in it ----------------------------------------------------------------------


def test_without_any_cli_there_is_nothing_to_do(home: Home) -> None:
    before = home.tree()
    said = home.setup()
    assert (said.status, said.err) == (0, "")
    assert "no CLI found" in said.out
    assert home.tree() == before


def test_all_three_are_set_up_and_taken_back_with_their_directories(home: Home) -> None:
    before = home.tree()
    assert home.setup("all").status == 0
    assert {*FILES.values(), ".gemini/.env"} < set(home.tree())
    assert home.setup("all", "--remove").status == 0
    assert {name for name in home.tree() if not name.startswith(".local")} == set(before)
    assert [name for name, content in home.tree().items() if name.startswith(".local") and content] == []


@each_cli
def test_only_the_cli_that_is_named_is_touched(home: Home, cli: str) -> None:
    home.setup(cli)
    assert [name for name, file in FILES.items() if (home.path / file).exists()] == [cli]


def test_without_a_name_those_are_set_up_that_are_installed(home: Home) -> None:
    home.write("bin/codex", "#!/bin/sh\n").chmod(0o755)
    (home.path / ".gemini").mkdir()
    home.setup()
    assert [name for name, file in FILES.items() if (home.path / file).exists()] == ["codex", "gemini"]


def test_the_command_line_offers_what_there_is() -> None:
    for name in (*find(), "all"):
        assert parser().parse_args(["setup", name]).cli == name
    assert find().keys() == CLIS.keys()


@each_cli
def test_a_dry_run_shows_everything_and_changes_nothing(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    before = home.tree()
    shown = home.setup(cli, "--dry-run")
    assert home.tree() == before
    done = home.setup(cli)
    assert [line for line in done.out.splitlines() if "backup:" not in line] == shown.out.splitlines()
    assert home.tree() != before
    before = home.tree()
    home.setup(cli, "--remove", "--dry-run")
    assert home.tree() == before


# -- what users have --------------------------------------------------------------------------------


@each_cli
def test_what_the_user_has_stays_in_its_place(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    assert is_within(OWN[cli], home.read(FILES[cli]))


def is_within(old: str, new: str) -> bool:
    """Whether the new text is the old one with something put in."""
    tokens = iter(re.findall(r"\w+|\s|.", new))
    return all(token in tokens for token in re.findall(r"\w+|\s|.", old))


@each_cli
def test_the_second_time_there_is_nothing_to_do(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    before = home.tree()
    said = home.setup(cli)
    assert said.out.startswith(f"{CLIS[cli].title}: nothing to do\n")
    assert home.tree() == before


@each_cli
def test_all_bytes_come_back(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    before = home.tree()
    home.setup(cli)
    home.setup(cli, "--remove")
    after = home.tree()
    assert {name: after[name] for name in before} == before


@each_cli
@pytest.mark.parametrize("case", TEXTS)
def test_all_bytes_come_back_however_odd(home: Home, cli: str, case: str) -> None:
    home.write(FILES[cli], text_of(case, cli))
    assert home.setup(cli).status == 0
    assert home.read(FILES[cli]) != text_of(case, cli)
    assert home.setup(cli).out.startswith(f"{CLIS[cli].title}: nothing to do\n")
    assert home.setup(cli, "--remove").status == 0
    assert home.read(FILES[cli]) == text_of(case, cli)


@each_cli
def test_line_ends_are_the_files_own(home: Home, cli: str) -> None:
    home.write(FILES[cli], text_of("windows", cli))
    home.setup(cli)
    text = home.read(FILES[cli])
    assert text.count("\n") == text.count("\r\n") > 20


@each_cli
def test_a_new_file_is_for_its_owner_alone(home: Home, cli: str) -> None:
    home.setup(cli)
    assert stat.S_IMODE((home.path / FILES[cli]).stat().st_mode) == 0o600
    assert stat.S_IMODE((home.path / FILES[cli]).parent.stat().st_mode) == 0o700
    records = [home.path / name for name, content in home.tree().items() if ".local/state/aimond/" in name and content]
    assert {stat.S_IMODE(path.stat().st_mode) for path in records} == {0o600}


@each_cli
def test_the_backup_is_the_file_as_it_was(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    said = home.setup(cli)
    (line,) = (line for line in said.out.splitlines() if "backup: ~/" in line)
    assert home.read(line.partition("~/")[2]) == OWN[cli]


@each_cli
def test_a_file_keeps_its_mode(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli]).chmod(0o640)
    home.setup(cli)
    assert stat.S_IMODE((home.path / FILES[cli]).stat().st_mode) == 0o640


# -- the file changes meanwhile ---------------------------------------------------------------------


def edited(cli: str, text: str) -> str:
    """A file as its user, or its CLI, has changed it after setup."""
    if cli == "codex":
        return text.replace('theme = "dark"', 'theme = "light"') + '\n[projects."/x"]\ntrust_level = "trusted"\n'
    return text.replace("{", '{"added": {"later": [true]},', 1)


@each_cli
def test_what_was_changed_meanwhile_stays_when_setup_is_taken_back(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    home.write(FILES[cli], edited(cli, home.read(FILES[cli])))
    said = home.setup(cli, "--remove")
    assert (said.status, said.err) == (0, "")
    assert home.read(FILES[cli]) == edited(cli, OWN[cli])


@each_cli
def test_a_file_that_was_not_there_goes_unless_something_was_added(home: Home, cli: str) -> None:
    home.setup(cli)
    home.write(FILES[cli], edited(cli, home.read(FILES[cli])))
    home.setup(cli, "--remove")
    text = home.read(FILES[cli])
    assert (tomllib if cli == "codex" else json).loads(text) == (
        {"projects": {"/x": {"trust_level": "trusted"}}} if cli == "codex" else {"added": {"later": [True]}}
    )


@each_cli
def test_spaces_alone_do_not_keep_a_file_that_was_not_there(home: Home, cli: str) -> None:
    home.setup(cli)
    home.write(FILES[cli], home.read(FILES[cli]) + "\n\n")
    home.setup(cli, "--remove")
    assert not (home.path / FILES[cli]).exists()


@each_cli
def test_a_file_that_its_user_removed_does_not_come_back(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    (home.path / FILES[cli]).unlink()
    assert home.setup(cli, "--remove").status == 0
    assert not (home.path / FILES[cli]).exists()


@each_cli
def test_without_the_record_all_that_is_known_as_ours_is_taken_out(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    for path in (home.path / ".local/state/aimond/setup").iterdir():
        path.unlink()
    assert home.setup(cli, "--remove").status == 0
    assert home.read(FILES[cli]) == OWN[cli]


@each_cli
def test_set_up_changed_and_set_up_again_it_still_can_be_taken_back(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli)
    moved = home.read(FILES[cli]).replace("aimond/commands/hook.py", "elsewhere/aimond/commands/hook.py")
    home.write(FILES[cli], edited(cli, moved))
    said = home.setup(cli)
    assert "nothing to do" not in said.out
    assert "elsewhere" not in home.read(FILES[cli])
    home.setup(cli, "--remove")
    assert home.read(FILES[cli]) == edited(cli, OWN[cli])


@each_cli
def test_what_the_user_had_set_in_the_same_words_is_the_users(home: Home, cli: str) -> None:
    home.setup(cli, "--dry-run")
    home.setup(cli)
    text = home.read(FILES[cli])
    home.setup(cli, "--remove")
    by_hand = "".join(line for line in re.split(r"(?<=\n)", text) if "matcher" not in line and "notify" not in line)
    by_hand = by_hand.replace("hook.py", "my_hook.py")
    home.write(FILES[cli], by_hand)
    home.setup(cli)
    home.write(FILES[cli], edited(cli, home.read(FILES[cli])))
    home.setup(cli, "--remove")
    assert home.read(FILES[cli]) == edited(cli, by_hand)


@each_cli
def test_another_installation_brings_its_hooks_up_to_date_in_their_place(
    home: Home, cli: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write(FILES[cli], OWN[cli])
    with monkeypatch.context() as earlier:
        earlier.setattr("sys.executable", "/opt/old venv/bin/python")
        home.setup(cli)
    old = home.read(FILES[cli])
    home.setup(cli)
    new = home.read(FILES[cli])
    assert old.count("hook.py") == new.count("hook.py")
    assert "old venv" not in new
    assert [line.split("exec")[0] for line in old.splitlines()] == [line.split("exec")[0] for line in new.splitlines()]
    home.setup(cli, "--remove")
    assert home.read(FILES[cli]) == OWN[cli]


# -- directories that are elsewhere -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("cli", "variable", "file"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", "settings.json"),
        ("codex", "CODEX_HOME", "config.toml"),
        ("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"),
    ],
)
def test_a_directory_that_was_moved_is_followed(
    home: Home, monkeypatch: pytest.MonkeyPatch, cli: str, variable: str, file: str
) -> None:
    monkeypatch.setenv(variable, str(home.path / "moved"))
    home.setup(cli)
    assert (home.path / "moved" / file).exists()
    assert not (home.path / FILES[cli]).exists()


def test_records_are_where_state_is_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home.path / "state"))
    home.setup("claude")
    assert (home.path / "state/aimond/setup").is_dir()
    assert not (home.path / ".local").exists()


@each_cli
def test_the_ports_are_those_of_config_toml(home: Home, cli: str) -> None:
    home.setup(cli)
    home.write(".config/aimond/config.toml", "[otlp]\nhttp_port = 5318\ngrpc_port = 5317\n")
    home.setup(cli)
    text = home.read(FILES[cli])
    assert "127.0.0.1:53" in text
    assert "127.0.0.1:43" not in text


@each_cli
def test_without_one_receiver_the_other_is_named(home: Home, cli: str) -> None:
    only, port = ("http", 4318) if cli == "gemini" else ("grpc", 4317)
    home.write(".config/aimond/config.toml", f"[otlp]\n{'grpc' if only == 'http' else 'http'} = false\n")
    home.setup(cli)
    assert f"127.0.0.1:{port}" in home.read(FILES[cli])
    assert only in home.read(FILES[cli])


def test_without_a_receiver_nothing_is_set_up(home: Home) -> None:
    home.write(".config/aimond/config.toml", "[otlp]\nhttp = false\ngrpc_port = 0\n")
    said = home.setup("all")
    assert (said.status, said.out) == (1, "")
    assert "[otlp]" in said.err


def test_a_wrong_config_toml_is_named(home: Home) -> None:
    home.write(".config/aimond/config.toml", "[otlp]\nhttp_prot = 1\n")
    said = home.setup("all")
    assert said.status == 2
    assert "otlp.http_prot" in said.err


@each_cli
def test_hooks_that_nobody_listens_to_are_told_of(home: Home, cli: str) -> None:
    home.write(".config/aimond/config.toml", "[hooks]\nsocket = false\n")
    assert "hooks.socket is false" in home.setup(cli).out


# -- colours ----------------------------------------------------------------------------------------


def test_a_diff_has_colours_on_a_terminal_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in home.setup("claude", "--dry-run").out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\x1b[32m+" in home.setup("claude", "--dry-run").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in home.setup("claude", "--dry-run").out


# -- one fails, the others go on --------------------------------------------------------------------


def test_one_that_is_refused_does_not_keep_the_others(home: Home) -> None:
    broken = '{\n  "a": 1,\n  oops\n}\n'
    home.write(FILES["claude"], broken)
    said = home.setup("all")
    assert said.status == 1
    assert said.err == (
        f"aimond: Claude Code: {home.path}/.claude/settings.json:3: expected a key in double quotes; mend it first\n"
    )
    assert home.read(FILES["claude"]) == broken
    assert (home.path / FILES["codex"]).exists()
    assert (home.path / FILES["gemini"]).exists()


def test_a_dotenv_that_cannot_be_written_keeps_the_settings_untouched(
    home: Home, freeze: Callable[[Path], None]
) -> None:
    home.write(FILES["gemini"], OWN["gemini"])
    freeze(home.write(".gemini/.env", "A=1\n"))
    before = home.tree()
    said = home.setup("gemini")
    assert (said.status, home.tree()) == (1, before)
    assert "/.gemini/.env: read-only" in said.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_under_sudo_new_files_are_the_users(home: Home) -> None:
    os.chown(home.path, 1234, 1234)
    home.setup("all")
    owners = {(home.path / name).stat().st_uid for name in home.tree() if name.startswith((".claude", ".codex"))}
    assert owners == {1234}
