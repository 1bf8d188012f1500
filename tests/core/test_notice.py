"""What the user reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from aimond.core.change import AttentionNeeded, BudgetCrossed, Change, DetailsChanged, StateChanged, TurnCompleted
from aimond.core.notice import LISTED, NAME, Kind, Notice, notice_of, plain, spell, together
from aimond.core.snapshot import Basis, SessionSnapshot, State

SECOND = 1_000_000
SESSION = SessionSnapshot(id="s", agent="codex", title="Codex CLI", project="web", turn_started=SECOND)


def attention(state: State, reason: str = "", **fields: Any) -> Notice:
    notice = notice_of(AttentionNeeded(replace(SESSION, state=state, reason=reason, **fields), reason))
    assert notice is not None
    return notice


def completion(**fields: Any) -> TurnCompleted:
    told = {"turn": 1, "duration": 72 * SECOND, "input_tokens": None, "output_tokens": None, "cost": None}
    told |= {"cost_basis": Basis.UNKNOWN, "evidence": "hook", "confidence": "exact"}
    return TurnCompleted(**{"session": replace(SESSION, state=State.COMPLETED), **told, **fields})


@pytest.mark.parametrize(
    ("state", "reason", "summary", "body"),
    [
        (State.WAITING, "permission:Bash", "is waiting for you", "It asks for permission to use Bash"),
        (State.WAITING, "permission", "is waiting for you", "It asks for permission"),
        (State.WAITING, "question:AskUser", "is waiting for you", "It asks you a question"),
        (State.WAITING, "of a later version", "is waiting for you", ""),
        (State.FAILED, "rate_limit", "failed", "Too many requests, or the quota is used up"),
        (State.FAILED, "of_a_later_version", "failed", "Of a later version"),
        (State.QUIET, "", "has gone quiet", "Done, or waiting for you"),
    ],
)
def test_who_needs_what(state: State, reason: str, summary: str, body: str) -> None:
    notice = attention(state, reason)
    assert (notice.summary, notice.body) == (f"Codex CLI in web {summary}", body)
    assert (notice.kind, notice.key) == (state.value, ("codex", "s"))


def test_the_error_is_told_as_the_cli_told_it() -> None:
    notice = attention(State.FAILED, "server", last_error="529 overloaded")
    assert notice.body == "The provider has trouble: 529 overloaded"


@pytest.mark.parametrize(
    ("known", "show_cost", "body"),
    [
        ({}, True, "After 1 min 12 s"),
        ({"input_tokens": 44_000, "output_tokens": 900}, True, "After 1 min 12 s · 45k tokens"),
        ({"input_tokens": 1_100, "cost": Decimal("0.4249")}, True, "After 1 min 12 s · 1.1k tokens · $0.42"),
        ({"input_tokens": 1_100, "cost": Decimal("0.4249")}, False, "After 1 min 12 s · 1.1k tokens"),
        ({"cost": Decimal(3), "cost_basis": Basis.PARTIAL}, True, "After 1 min 12 s · at least $3.00"),
        ({"cost": Decimal("0.0001"), "duration": 0}, True, "Less than 1 ¢"),
        ({"duration": 0}, True, ""),
    ],
)
def test_a_completion_tells_what_is_known(known: dict[str, Any], show_cost: bool, body: str) -> None:
    notice = notice_of(completion(**known), show_cost)
    assert notice is not None
    assert (notice.summary, notice.body) == ("Codex CLI in web is done", body)


@pytest.mark.parametrize(
    "change",
    [
        StateChanged(replace(SESSION, state=State.WORKING), State.IDLE),
        DetailsChanged(SESSION),
        completion(session=replace(SESSION, state=State.WORKING)),  # of an older turn
        completion(session=replace(SESSION, state=State.IDLE)),  # it was seen as quiet
        AttentionNeeded(replace(SESSION, state=State.WORKING), "permission:Bash"),  # answered in the same request
    ],
)
def test_most_changes_are_no_news(change: Change) -> None:
    assert notice_of(change) is None


@pytest.mark.parametrize(
    ("session", "fraction", "unit", "summary", "body"),
    [
        (None, 0.8, "USD", "The budget “daily” is used by 80 %", "$8.12 of $10.00"),
        (None, 1.0, "USD", "The budget “daily” is used up", "$8.12 of $10.00"),
        (SESSION, 0.5, "tokens", "Codex CLI in web: the budget “daily” is used by 50 %", "8 tokens of 10 tokens"),
    ],
)
def test_a_budget_tells_how_much(
    session: SessionSnapshot | None, fraction: float, unit: str, summary: str, body: str
) -> None:
    notice = notice_of(BudgetCrossed(session, "daily", Decimal("8.12"), Decimal(10), fraction, unit))
    assert notice is not None
    assert (notice.kind, notice.summary, notice.body) == (Kind.BUDGET, summary, body)


@pytest.mark.parametrize(
    ("strange", "shown"),
    [
        ("<b>bold</b> & more", "<b>bold</b> & more"),  # whoever shows it escapes it
        ("one\ntwo\tthree\x00\x1b[31m", "one two three[31m"),
        ("\u202egnp.exe\u202c \u2066x\u2069 \u200fy\u061c", "gnp.exe x y"),
        ("\ud83d broken \udc00", "broken"),
        ("שלום", "שלום"),
        (" \u2028 \u00a0 ", ""),
        ("", ""),
    ],
)
def test_a_strangers_text_is_one_plain_line(strange: str, shown: str) -> None:
    assert plain(strange) == shown


@pytest.mark.parametrize("strange", ["x" * 10_000, "\u202e" * 10_000 + "x", "<" * 10_000, "y " * 5_000, "\n" * 10_000])
def test_ten_thousand_characters_are_cut(strange: str) -> None:
    notice = attention(
        State.FAILED, strange, project=strange, title=strange, last_error=strange, last_error_class=strange
    )
    assert len(notice.summary) <= 2 * NAME + len(" in  failed")
    assert len(notice.body) <= 2 * 200 + 2
    assert (notice.summary + notice.body).isprintable()
    asked = attention(State.WAITING, f"permission:{strange}")
    assert len(asked.body) <= len("It asks for permission to use ") + NAME


def test_a_session_without_names_is_an_agent() -> None:
    assert attention(State.QUIET, title="\x00", agent="\x1b", project="\n").summary == "An agent has gone quiet"


def test_a_burst_lists_some_and_counts_the_rest() -> None:
    many = [notice_of(completion(session=replace(SESSION, id=str(n), state=State.COMPLETED))) for n in range(8)]
    notice = together([each for each in many if each])
    assert notice.summary == "8 agents finished"
    assert notice.body.splitlines() == ["Codex CLI in web · 1 min 12 s"] * LISTED + ["and 3 more"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (754, "12 min"),
        (3600, "1 h"),
        (7290, "2 h 1 min"),
    ],
)
def test_durations_are_told_as_people_do(seconds: float, words: str) -> None:
    assert spell(round(seconds * SECOND)) == words
