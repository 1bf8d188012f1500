"""A token: made once, put into the CLIs' settings, shown to nobody, and taken back."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from home import CLIS, FILES, OWN, Home, wanted

from aimond.commands.setup_token import known_to
from aimond.config import load, secret

each_cli = pytest.mark.parametrize("cli", CLIS)
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


def carried(home: Home) -> dict[str, str]:
    """What each CLI sends along."""
    otel = tomllib.loads(home.read(FILES["codex"]))["otel"]
    assert otel["exporter"]["otlp-http"]["headers"] == otel["trace_exporter"]["otlp-http"]["headers"]
    (key, value), *_ = otel["exporter"]["otlp-http"]["headers"].items()
    lines = home.read(".gemini/.env").splitlines()
    return {
        "claude": home.json(FILES["claude"])["env"][HEADERS],
        "codex": f"{key}={value}",
        "gemini": next(line.partition("=")[2] for line in lines if line.startswith(HEADERS)),
    }


def test_a_token_is_made_for_its_owner_alone_and_told_to_all_three(home: Home) -> None:
    said = home.setup("all", "--token")
    file = home.path / ".config" / "aimond" / "token"
    token = secret(load().otlp)
    assert said.status == 0 and len(token) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert set(carried(home).values()) == {f"x-aimond-token={token}"}
    assert token not in said.out + said.err
    assert "restart the monitor" in said.out
    before = home.tree()
    again = home.setup("all", "--token")
    assert "there is a token already" in again.out and home.tree() == before


def test_a_dry_run_makes_no_token(home: Home) -> None:
    before = home.tree()
    assert "would be" in home.setup("all", "--token", "--dry-run").out
    assert home.tree() == before


def test_a_token_of_a_later_day_reaches_settings_that_are_there_and_leaves_them_with_it(home: Home) -> None:
    home.setup("all")
    without = home.tree()
    home.setup("all", "--token")
    assert len(set(carried(home).values())) == 1
    (home.path / ".config" / "aimond" / "token").write_text("another-token-of-16\n")
    home.setup("all")
    assert set(carried(home).values()) == {"x-aimond-token=another-token-of-16"}
    (home.path / ".config" / "aimond" / "token").unlink()
    home.setup("all")
    names = [name for name in without if not name.startswith((".local", ".config"))]
    assert {name: home.tree()[name] for name in names} == {name: without[name] for name in names}


@each_cli
def test_it_is_taken_back_to_the_byte(home: Home, cli: str) -> None:
    home.write(FILES[cli], OWN[cli])
    home.setup(cli, "--token")
    home.setup(cli, "--remove")
    assert home.read(FILES[cli]) == OWN[cli]
    assert not any("x-aimond" in text.decode() for text in home.tree().values() if text)


@each_cli
def test_settings_without_the_token_are_known_as_such(cli: str) -> None:
    """What doctor goes by."""
    settings = CLIS[cli]
    token = "a-token-of-16-letters"
    without = settings.add({}, wanted(cli)).files
    assert settings.reading(without, wanted(cli)).admitted
    assert not settings.reading(without, wanted(cli, token=token)).admitted
    files = settings.add({}, wanted(cli, token=token)).files
    assert settings.reading(files, wanted(cli, token=token)).admitted
    assert not settings.reading(files, wanted(cli, token="another-token-of-16")).admitted


def test_headers_of_the_users_own_are_left_and_not_shown(home: Home) -> None:
    home.write(FILES["claude"], '{"env": {"OTEL_EXPORTER_OTLP_HEADERS": "key=of-mine"}}')
    said = home.setup("claude", "--token")
    assert home.json(FILES["claude"])["env"][HEADERS] == "key=of-mine"
    assert "add the monitor's token" in said.out
    assert "left so" in said.out


def test_a_file_that_others_can_read_is_named(home: Home) -> None:
    home.write(FILES["claude"], "{}").chmod(0o644)
    assert "chmod 600" in home.setup("claude", "--token").out


def test_the_token_is_shown_to_this_monitor_and_to_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = tmp_path / "aimond" / "config.toml"
    config.parent.mkdir()
    config.write_text("[otlp]\ntoken = '0123456789abcdef'\nhosts = ['box']\nbind = ['127.0.0.2']\n")
    for ours in (
        "http://127.0.0.1:4318",
        "http://localhost:5318/",
        "http://[::1]:4318",
        "http://BOX",
        "http://127.0.0.2",
    ):
        assert known_to(ours) == "0123456789abcdef", ours
    for other in ("http://collector.example:4318", "http://127.0.0.1.example", "http://127.0.0.1@example", "box", ""):
        assert known_to(other) == "", other
