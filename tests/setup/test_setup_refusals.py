"""Files that setup leaves alone, with a message that names file, line and what to do; and how it writes the others."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from home import CLIS, FILES, OWN, Home

from aimond.agents.settings import Refused
from aimond.commands import settings_file

each_cli = pytest.mark.parametrize("cli", CLIS)

BROKEN = [
    ("claude", '{\n  "a": 1,,\n}', ":2: expected a key"),
    ("claude", '{\n  // mine\n  "a": 1\n}', ":2: a comment, which this CLI does not accept"),
    ("claude", '{\n  "a": 1,\n}', ":3: a comma before }"),
    ("claude", "[]", ":1: not an object"),
    ("claude", '{"a": "b\n"}', ":1: Invalid control character at"),
    ("claude", '{"a": 01}', ":1: expected , or }"),
    ("claude", '{"a": NaN}', ":1: expected a value"),
    ("claude", '{"a": ' + "[" * 5000, ":1: nested too deeply"),
    ("claude", "{} {}", ":1: something after the end"),
    ("gemini", '{ /* open\n "a": 1}', ":1: expected a key"),
    ("codex", "a = 1\nb = \n", ":2: Invalid value"),
    ("codex", "a = 1\n\na = 2\n", ":3: Cannot overwrite a value"),
    ("codex", 'a = """never ending\n', ":2: "),
    ("claude", b'{"a": "\xff"}', ":1: not UTF-8"),
    ("codex", b'a = 1\nb = "\xe4"\n', ":2: not UTF-8"),
    ("claude", '{\n"hooks": []}', ":2: `hooks` is not an object"),
    ("claude", '{"env": "x"}', ":1: `env` is not an object"),
    ("claude", '{"env": null}', ":1: `env` is not an object"),
    ("claude", '{"hooks": {\n"Stop": {}}}', ":2: `hooks.Stop` is not an array"),
    ("gemini", '{"telemetry": true}', ":1: `telemetry` is not an object"),
    ("codex", "otel = 1", ": `otel` is not a table"),
    ("codex", "hooks = []", ": `hooks` is not a table"),
    ("codex", '[hooks]\nStop = "x"', ": `hooks.Stop` is not an array"),
    ("claude", '{"a": "' + "x" * 1_000_000 + '"}', ": larger than 1,000,000 bytes"),
]


@pytest.mark.parametrize(("cli", "text", "message"), BROKEN, ids=[case[2][:40] for case in BROKEN])
@pytest.mark.parametrize("what", [(), ("--remove",)], ids=["add", "remove"])
def test_a_file_that_cannot_be_read_is_left_alone(
    home: Home, cli: str, text: str | bytes, message: str, what: tuple[str, ...]
) -> None:
    home.write(FILES[cli], text)
    before = home.tree()
    said = home.setup(cli, *what)
    if what and "is not" in message and said.status == 0:
        return  # where there is nothing of ours, nothing has to be understood
    assert said.status == 1
    assert f"{home.path / FILES[cli]}{message}" in said.err
    assert home.tree() == before


def test_a_broken_file_that_is_as_setup_left_it_cannot_be(home: Home) -> None:
    home.write(FILES["claude"], OWN["claude"])
    home.setup("claude")
    home.write(FILES["claude"], home.read(FILES["claude"])[:-5])
    before = home.tree()
    assert home.setup("claude", "--remove").status == 1
    assert home.tree() == before


# -- what cannot be written -------------------------------------------------------------------------


@each_cli
def test_a_read_only_file_is_left_alone(home: Home, cli: str) -> None:
    path = home.write(FILES[cli], OWN[cli])
    path.chmod(0o444)
    before = home.tree()
    said = home.setup(cli)
    assert (said.status, home.tree()) == (1, before)
    assert f"{path}: read-only; allow writing (chmod u+w" in said.err


@each_cli
@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_file_that_cannot_be_changed_is_left_alone(
    home: Home, cli: str, what: str, freeze: Callable[[Path], None]
) -> None:
    path = home.write(FILES[cli], OWN[cli])
    freeze(path if what == "file" else path.parent)
    before = home.tree()
    said = home.setup(cli)
    assert (said.status, home.tree()) == (1, before)
    assert str(path) in said.err
    assert "allow writing" in said.err or "cannot be written: Operation not permitted" in said.err


def test_a_directory_that_cannot_be_made_is_told(home: Home, freeze: Callable[[Path], None]) -> None:
    (home.path / ".local/state").mkdir(parents=True)
    freeze(home.path)
    said = home.setup("claude")
    assert said.status == 1
    assert f"{home.path}/.claude/settings.json: " in said.err


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "circle"])
def test_what_is_no_file_is_left_alone(home: Home, kind: str) -> None:
    path = home.path / FILES["claude"]
    path.parent.mkdir()
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            os.chdir(path.parent)
            bound.bind(path.name)
    else:
        path.symlink_to(path)
    said = home.setup("claude")
    assert said.status == 1
    assert str(path) in said.err


@each_cli
def test_what_home_manager_made_is_left_to_it(home: Home, cli: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_file, "STORES", (f"{home.path}/nix/store/",))
    path = home.path / FILES[cli]
    path.parent.mkdir()
    path.symlink_to(home.write("nix/store/abc-settings", OWN[cli]))
    before = home.tree()
    said = home.setup(cli)
    assert (said.status, home.tree()) == (1, before)
    assert f"comes from the Nix store: set `{CLIS[cli].nix}`" in said.err


# -- how it is written ------------------------------------------------------------------------------


@each_cli
@pytest.mark.parametrize("is_relative", [False, True])
def test_a_symbolic_link_stays_and_its_target_changes(home: Home, cli: str, *, is_relative: bool) -> None:
    target, path = home.write("dotfiles/settings", OWN[cli]), home.path / FILES[cli]
    path.parent.mkdir()
    path.symlink_to("../dotfiles/settings" if is_relative else target)
    home.setup(cli)
    assert path.is_symlink()
    assert target.read_text() != OWN[cli]
    home.setup(cli, "--remove")
    assert path.is_symlink()
    assert target.read_text() == OWN[cli]


def test_a_link_to_what_is_not_there_yet_is_followed(home: Home) -> None:
    path = home.path / FILES["claude"]
    path.parent.mkdir()
    path.symlink_to(home.path / "dotfiles/claude/settings.json")
    home.setup("claude")
    assert (home.path / "dotfiles/claude/settings.json").is_file()
    home.setup("claude", "--remove")
    assert path.is_symlink()
    assert not (home.path / "dotfiles").exists()


def test_a_directory_that_is_a_link_is_followed(home: Home) -> None:
    home.write("dotfiles/claude/settings.json", OWN["claude"])
    (home.path / ".claude").symlink_to(home.path / "dotfiles/claude")
    home.setup("claude")
    home.setup("claude", "--remove")
    assert home.read("dotfiles/claude/settings.json") == OWN["claude"]
    assert (home.path / ".claude").is_symlink()


def test_a_hard_link_is_not_cut(home: Home) -> None:
    path = home.write(FILES["claude"], OWN["claude"])
    (home.path / "dotfiles").mkdir()
    os.link(path, home.path / "dotfiles/settings.json")
    home.setup("claude")
    assert path.samefile(home.path / "dotfiles/settings.json")
    home.setup("claude", "--remove")
    assert path.samefile(home.path / "dotfiles/settings.json")
    assert path.read_text() == OWN["claude"]


def test_a_file_is_replaced_at_once(home: Home) -> None:
    path = home.write(FILES["claude"], OWN["claude"])
    with path.open() as reader:
        home.setup("claude")
        assert reader.read() == OWN["claude"]
    assert list(path.parent.iterdir()) == [path]


def test_a_file_keeps_its_attributes(home: Home) -> None:
    path = home.write(FILES["claude"], OWN["claude"])
    try:
        os.setxattr(path, "user.tag", b"mine")
    except OSError:
        pytest.skip("this file system has no attributes")
    os.utime(path, (1, 1))
    home.setup("claude")
    assert os.getxattr(path, "user.tag") == b"mine"
    assert path.stat().st_mtime > 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_file_keeps_its_owner(home: Home) -> None:
    path = home.write(FILES["claude"], OWN["claude"])
    os.chown(path, 1234, 1235)
    home.setup("claude")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_file_of_somebody_else_that_one_may_write_is_written_in_place() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory, path = Path(name), Path(name, "settings.json")
        path.write_text("{ }")
        directory.chmod(0o755)
        path.chmod(0o666)
        child = os.fork()
        if not child:
            os.setresuid(4321, 4321, 4321)
            try:
                settings_file.write(settings_file.read(path), b"{}")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        found = path.stat()
        assert (path.read_text(), found.st_uid, stat.S_IMODE(found.st_mode)) == ("{}", 0, 0o666)


def test_somebody_who_writes_meanwhile_is_not_overwritten(home: Home) -> None:
    path = home.write(FILES["claude"], OWN["claude"])
    file = settings_file.read(path)
    home.write(FILES["claude"], "{}")
    with pytest.raises(Refused, match="changed meanwhile; run setup again"):
        settings_file.write(file, b"lost")
    assert path.read_text() == "{}"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_and_no_traces(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write(FILES["claude"], OWN["claude"])
    before = home.tree()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        said = home.setup("claude")
    assert said.status == 1
    assert "No space left on device" in said.err
    assert {name: content for name, content in home.tree().items() if content is not None} == {
        name: content for name, content in before.items() if content is not None
    }


def test_a_damaged_record_counts_as_none(home: Home) -> None:
    home.write(FILES["claude"], OWN["claude"])
    home.setup("claude")
    for path in (home.path / ".local/state/aimond/setup").glob("*.json"):
        path.write_text("{")
    assert home.setup("claude", "--remove").status == 0
    assert home.read(FILES["claude"]) == OWN["claude"]
