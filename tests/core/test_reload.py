"""Which settings differ, and which of those need a restart."""

from __future__ import annotations

from aimond.config import Config
from aimond.reload import AT_START, changed


def test_keys_that_differ_are_named() -> None:
    other = Config.model_validate({"otlp": {"queue": 7}, "log": {"level": "debug"}})
    assert changed(Config(), other) == ["log.level", "otlp.queue"]
    assert changed(other, other) == []


def test_a_list_of_tables_is_one_key() -> None:
    other = Config.model_validate({"budget": [{"limit": 5}]})
    assert changed(Config(), other) == ["budget"]


def test_what_needs_a_restart_is_a_key() -> None:
    tables = Config().model_dump()
    keys = {f"{table}.{key}" for table, values in tables.items() if isinstance(values, dict) for key in values}
    assert {*keys, *tables} >= AT_START
