"""config.toml: where it is, and how it is read. Its tables are in ``sections.py``."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator

from aimond import toml
from aimond.sections import (
    TOKEN,
    Budget,
    Forward,
    History,
    Hooks,
    Log,
    Notifications,
    Otlp,
    Prices,
    Section,
    Session,
    Sessions,
    Sway,
)

# Pydantic would look through all distributions that are installed for plugins of its own, at every start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

TOKEN_NAME: Final = "token"  # noqa: S105  (of a file)


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file and the key, and what would be right."""


# A table that is left out is checked as an empty one: a default of its class would need a validator of its own.
_DEFAULTS: Final[Any] = Field({}, validate_default=True)


class Config(Section):
    """The whole file."""

    otlp: Otlp = _DEFAULTS
    sessions: Sessions = _DEFAULTS
    hooks: Hooks = _DEFAULTS
    sway: Sway = _DEFAULTS
    prices: Prices = _DEFAULTS
    budget: Annotated[tuple[Budget, ...], Field(max_length=100)] = ()
    session: Session = _DEFAULTS
    notifications: Notifications = _DEFAULTS
    history: History = _DEFAULTS
    forward: Forward = _DEFAULTS
    log: Log = _DEFAULTS

    @field_validator("budget")
    @classmethod
    def _told_apart(cls, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        titles = [budget.title for budget in budgets]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice:
            raise ValueError(f"two budgets are called {twice!r}: give one a `name`")
        return budgets


def default_path() -> Path:
    """Where the file is looked for: ``$XDG_CONFIG_HOME/aimond/config.toml``."""
    home = os.environ.get("XDG_CONFIG_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".config"
    return base / "aimond" / "config.toml"


def load(path: Path | None = None) -> Config:
    """The settings of that file; of the default one if there is one, else the defaults. Raises ConfigError."""
    chosen = path or default_path()
    return _with_token(_read(chosen, is_named=path is not None), chosen.with_name(TOKEN_NAME))


def secret(otlp: Otlp) -> str:
    """The token that requests must carry, "" for none. Raises ConfigError."""
    if not otlp.token_file:
        return otlp.token
    file = Path(otlp.token_file)
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"otlp.token_file: {file} is no file")
        if mode & 0o077:
            raise ConfigError(f"otlp.token_file: {file} can be read by others: chmod 600 {file}")
        with file.open() as opened:
            token = opened.read(1024).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"otlp.token_file: {file}: {error}") from None
    if not re.fullmatch(TOKEN, token):
        raise ConfigError(f"otlp.token_file: {file}: not 16 to 256 letters, digits or any of . _ ~ -")
    return token


def _with_token(config: Config, beside: Path) -> Config:
    """With the token's file beside config.toml, where one is and nothing else is said."""
    otlp = config.otlp
    if otlp.token or otlp.token_file or not beside.exists():
        return config
    return config.model_copy(update={"otlp": otlp.model_copy(update={"token_file": str(beside.absolute())})})


def _read(chosen: Path, *, is_named: bool) -> Config:
    try:
        text = chosen.read_text()
    except FileNotFoundError:
        if not is_named:
            return Config()
        raise ConfigError(f"{chosen}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{chosen}: {error}") from None
    try:
        return Config.model_validate(toml.parse(text, toml.exact))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"{chosen}: " + "; ".join(faults)) from None
    except ValueError as error:
        raise ConfigError(f"{chosen}: {error}") from None
