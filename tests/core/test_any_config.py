"""Whatever is in config.toml: it can be used from the start to the end, or what is wrong with it is told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from aimond.config import Config, ConfigError, load
from aimond.core.policy import Policy
from aimond.core.usage import Usage
from aimond.entrance import guard, secure
from aimond.historian import budgets
from aimond.otlp.ports import listen
from aimond.pricing import Prices
from aimond.reload import changed

anything = settings(
    max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TABLES = {name: sorted(type(table).model_fields) for name, table in Config() if isinstance(table, BaseModel)}
PATHS = ("", "~", "~nobody-at-all/x", "/", "/dev/null", "/dev/zero", "a\x00b", "/a\x00b", "x" * 5000, "\U0001f600")
OTHERS = ("127.0.0.1", "::1", "day", "all", "USD", "model", "22:00-07:00", "99:99-00:00", "http://", "waiting")
WORDS = st.sampled_from([*PATHS, *OTHERS])
NUMBERS = st.integers(-3, 3) | st.sampled_from([10, 80, 4317, 65_535, 65_536, 10**6, 2**63 - 1, -(2**63)])
TEXTS = WORDS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.booleans() | NUMBERS | st.floats() | TEXTS
KNOWN = {key for keys in TABLES.values() for key in keys}
KEYS = st.sampled_from(sorted({*KNOWN, "input", "output", "gpt-5", "tiers"}))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def of_table(name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    keys = st.sampled_from(TABLES[name]) if TABLES.get(name) else KEYS
    return st.tuples(st.just(name), st.dictionaries(keys | KEYS if name == "prices" else keys, VALUES, max_size=4))


DOCUMENTS = st.lists(st.sampled_from(sorted(TABLES)).flatmap(of_table), max_size=4).map(dict)


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return "nan" if math.isnan(value) else f"{'-' if value < 0 else ''}inf"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())}}}"
    return str(value)


def used(config: Config) -> None:
    """All that the daemon makes of it without opening anything."""
    Policy.of(config.notifications.model_dump())
    budgets(config)
    prices = Prices(config.prices.models)
    for model in (*config.prices.models, "unheard-of"):
        cost = prices.price("", model, Usage(input=10, output=10), 1_800_000_000_000_000).cost
        assert cost is None or cost >= 0
    changed(Config(), config)
    Config.model_validate_json(config.model_dump_json())  # the process that forwards is told so
    listeners = listen(["127.0.0.1"], 0)
    try:
        guard(config.otlp, frozenset())
        secure(config.otlp, "h2", listeners)
    finally:
        for listener in listeners:
            listener.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "config.toml"


def tried(file: Path) -> Config | None:
    try:
        config = load(file)
        used(config)
    except ConfigError as error:
        assert str(error)
        return None
    return config


@anything
@given(st.binary(max_size=200))
def test_any_bytes(file: Path, said: bytes) -> None:
    file.write_bytes(said)
    tried(file)


@anything
@given(DOCUMENTS)
def test_any_values_of_known_keys(file: Path, document: dict[str, Any]) -> None:
    file.write_text("".join(f"{name} = {toml(table)}\n" for name, table in document.items()))
    tried(file)


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in TABLES.items() for key in keys])
def test_any_word_for_each_key(file: Path, table: str, key: str) -> None:
    for word in (*PATHS, *OTHERS):
        for value in (word, [word], {word: word}):
            file.write_text(f"[{table}]\n{key} = {toml(value)}\n")
            tried(file)


@anything
@given(
    st.lists(st.dictionaries(st.sampled_from(["name", "scope", "of", "period", "limit", "unit"]), SCALARS), max_size=3)
)
def test_any_budgets(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text(f"budget = {toml(rows)}\n")
    tried(file)


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("otlp.token", "a-token.of_this~test", ("short", "a token of this test", "a-token.of_this~test\n", "x" * 257)),
        ("notifications.quiet_hours", "22:00-07:30", ("24:00-07:00", "22-7", "22:00-07:00\n", "at 22:00-07:00")),
        ("forward.endpoint", "https://upstream:4318/otlp", ("upstream:4318", "http://", "http://upstream?token=1")),
    ],
)
def test_text_of_another_shape_is_refused(file: Path, key: str, right: str, wrong: tuple[str, ...]) -> None:
    for text in ("", right):
        file.write_text(f"{key} = {toml(text)}\n")
        load(file)
    for text in wrong:
        file.write_text(f"{key} = {toml(text)}\n")
        with pytest.raises(ConfigError, match=f"{key}: .*must match"):
            load(file)
