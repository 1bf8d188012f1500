"""config.toml: defaults, what may be said, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from aimond.config import Config, ConfigError, default_path, load


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def written(home: Path, text: str) -> Path:
    file = home / "aimond" / "config.toml"
    file.parent.mkdir()
    file.write_text(text)
    return file


def test_without_a_file_everything_has_a_default(home: Path) -> None:
    config = load()
    assert config == Config()
    assert (config.otlp.http_port, config.otlp.grpc_port, config.sessions.expire) == (4318, 4317, 3600)


def test_the_file_is_where_xdg_says(home: Path) -> None:
    file = written(home, "[sessions]\nexpire = 7200\n")
    assert default_path() == file
    assert load().sessions.expire == 7200


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_an_xdg_path_that_is_not_absolute_is_ignored(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG Base Directory Specification asks for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_path() == Path("/home/somebody/.config/aimond/config.toml")


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[otlp]\nhttp_prot = 1", "otlp.http_prot"),
        ("[oltp]", "oltp"),
        ("[otlp]\nhttp_port = 65536", "otlp.http_port"),
        ("[otlp]\nhttp_port = -1", "otlp.http_port"),
        ("[otlp]\nhttp_port = 'x'", "otlp.http_port"),
        ("[sessions]\nexpire = 1", "sessions.expire"),
        ("[sessions]\nmax = 0", "sessions.max"),
        ("[log]\nlevel = 'loud'", "log.level"),
        ("[otlp", "config.toml: "),
        ("x = ", "config.toml: "),
        ("x = 1e" + "9" * 25, "not a number that can be used: 1e999"),
        ("x = " + "9" * 5000, "4300 digits"),
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("x = 1\n" + "a." * 100_000 + "a = 1", "a key of more than 64 parts (at line 2, column 1)"),
        ("[" + '"a" . ' * 100_000 + "a]", "a key of more than 64 parts"),
    ],
)
def test_a_mistake_is_refused_by_its_name(home: Path, text: str, told: str) -> None:
    written(home, text)
    with pytest.raises(ConfigError) as refused:
        load()
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(default_path()))


def test_what_is_no_text_is_refused(home: Path) -> None:
    written(home, "").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        load()


def test_a_folder_is_no_file(home: Path) -> None:
    (home / "aimond" / "config.toml").mkdir(parents=True)
    with pytest.raises(ConfigError):
        load()


def test_settings_do_not_change_while_they_are_used() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().otlp.http_port = 1  # type: ignore[misc]
