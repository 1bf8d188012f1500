"""What is made of strangers' words: object paths and texts that are always valid."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import pytest
from dbus_fast.validators import is_object_path_valid
from hypothesis import given
from hypothesis import strategies as st

from aimond.bus.session import path_of
from aimond.bus.values import label, money, text
from aimond.core.snapshot import State

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("claude-code", "claude_2dcode"),
        ("8f3a", "_38f3a"),
        ("a_b", "a_5fb"),
        ("é/", "_c3_a9_2f"),
        ("", "_"),
        ("x" * 64, "x" * 64),
        ("x" * 65, f"_h{hashlib.sha256(b'x' * 65).hexdigest()[:62]}"),
    ],
)
def test_a_label_is_escaped_as_systemd_does(raw: str, escaped: str) -> None:
    assert label(raw) == escaped


def test_a_uuid_stays_readable_in_the_path() -> None:
    path = path_of("claude-code", "0d5b8a6e-1c1f-4b60-8b8e-2a54b1a1f1aa")
    assert path == "/org/ai/Monitor/session/claude_2dcode__30d5b8a6e_2d1c1f_2d4b60_2d8b8e_2d2a54b1a1f1aa"


@given(ANY_TEXT, ANY_TEXT)
def test_any_agent_and_id_make_a_valid_path(agent: str, session_id: str) -> None:
    path = path_of(agent, session_id)
    assert is_object_path_valid(path)
    assert len(path) < 256


@given(ANY_TEXT | st.text("ab_-/c3", max_size=4), ANY_TEXT | st.text("ab_-/c3", max_size=4))
def test_two_names_are_never_one(one: str, other: str) -> None:
    names = [one, other, one * 65, label(one), label(one * 65), label(other * 65)]
    assert len({label(name) for name in names}) == len(set(names))


@given(ANY_TEXT)
def test_any_text_is_made_valid(raw: str) -> None:
    made = text(raw)
    assert type(made) is str
    assert len(made.encode()) <= 4096
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in made)


def test_text_is_cut_between_characters() -> None:
    assert text("漢" * 2000) == "漢" * 1365
    assert text("x" * 4096) == "x" * 4096
    assert text("line one\r\nline two\t👩‍💻") == "line one line two 👩‍💻"


def test_enumerations_are_plain_text_on_the_wire() -> None:
    assert type(text(State.WAITING)) is str


def test_money_is_the_nearest_double() -> None:
    assert (money(Decimal("0.1")), money(None)) == (0.1, 0.0)
