"""How sessions look: text of strangers in tables, the JSON of a bar. Nothing but values."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimond.bus.client import Signal
from aimond.commands.look import LOOKS, age, amount, cells, clock, fit, look, money, span, table
from aimond.commands.mirror import Mirror
from aimond.commands.waybar_text import SHOWN, line, shown
from aimond.core.snapshot import State

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 4, 15, 0, tzinfo=ZONE)
ROOT = "/org/ai/Monitor"


def session(name: str = "a", **values: Any) -> dict[str, Any]:
    usual = {
        "Path": f"{ROOT}/session/{name}",
        "Id": name,
        "Agent": "claude-code",
        "State": "working",
        "StateSince": int((NOW - timedelta(minutes=58)).timestamp() * 1e6),
        "Project": "shop",
        "Model": "",
        "Reason": "",
        "Parent": "/",
        "CostBasis": "none",
    }
    tokens = dict.fromkeys(("InputTokens", "CacheReadTokens", "CacheWriteTokens", "ToolPromptTokens"), 0)
    return {**usual, **tokens, "OutputTokens": 1500, **values}


def mirror(*sessions: dict[str, Any], **properties: Any) -> Mirror:
    usual = {"State": "working", "CostToday": 0.0, "CostTodayBasis": "none", "TokensToday": 0, "Inhibited": False}
    reflects = Mirror()
    reflects.reset({**usual, **properties}, sessions)
    return reflects


@pytest.mark.parametrize(
    ("name", "width", "fitted"),
    [
        ("shop", 10, "shop"),
        ("a very long name", 8, "a very …"),
        ("a\x1b[31mb\x00c\x07", 20, "a[31mbc"),
        ("two\nlines\tand\u2028more", 30, "two lines and more"),
        ("\u202eevil\u202c\u2067\u200f\u061c", 20, "evil"),
        ("zero\u200bwidth\u00adhyphen\ufeff", 30, "zerowidthhyphen"),
        ("\u4e16\u754c\u4e16\u754c", 8, "\u4e16\u754c\u4e16\u754c"),
        ("\u4e16\u754c\u4e16\u754c", 7, "\u4e16\u754c\u4e16…"),
        ("\u4e16\u754c\u4e16\u754c", 6, "\u4e16\u754c…"),
        ("half \ud83d pair", 20, "half  pair"),
        ("", 5, ""),
        ("x" * 10_000, 5, "xxxx…"),
    ],
)
def test_a_name_fits(name: str, width: int, fitted: str) -> None:
    assert fit(name, width) == fitted


def test_marks_do_not_pile_up() -> None:
    assert len(fit("z" + "\u0301" * 500, 10)) <= 20


@given(st.text(), st.integers(1, 40))
def test_any_text_fits(name: str, width: int) -> None:
    fitted = fit(name, width)
    assert cells(fitted) <= width
    assert fitted.isprintable()


def test_numbers_for_people() -> None:
    assert [amount(number) for number in (0, 999, 1500, 2_000_000, 3 * 10**9)] == ["0", "999", "1.5k", "2.0M", "3.0G"]
    assert [span(seconds) for seconds in (-1, 42, 60, 7300, 200_000)] == ["0s", "42s", "1m", "2h", "2d"]
    assert [age(seconds) for seconds in (0, 59, 60, 7300)] == ["<1m", "<1m", "1m", "2h"]
    sums = [money(1.5, basis) for basis in ("reported", "computed", "partial", "unknown", "none", "later")]
    assert sums == ["$1.50", "$1.50", "≥$1.50", "?", "–", "$1.50"]


def test_a_clock_tells_the_day_unless_it_is_today() -> None:
    before = [int((NOW - timedelta(hours=hours)).timestamp() * 1e6) for hours in (1, 15.5)]
    assert [clock(time, NOW) for time in (*before, 0)] == ["14:00", "Mar 03 23:30", ""]


def test_every_state_has_a_look_of_its_own_and_a_later_one_a_generic_one() -> None:
    assert set(LOOKS) == set(State)
    for part in range(4):
        assert len({each[part] for each in LOOKS.values()}) == len(State)
    assert all(cells(each.sign) == 1 for each in LOOKS.values())
    assert look("dreaming").says == "dreaming"


def test_a_table_is_aligned_by_what_is_seen() -> None:
    rows = table([["PROJECT", "TOKENS", "STATE"], ["\u4e16\u754c", "1", "idle"], ["shop", "12.0k", "working"]])
    assert ["|".join(row) for row in rows] == [
        "PROJECT|TOKENS|STATE  ",
        "\u4e16\u754c   |     1|idle   ",
        "shop   | 12.0k|working",
    ]


# -- the bar ----------------------------------------------------------------------------------------


def test_a_bar_tells_counts_the_worst_state_and_the_cost() -> None:
    told = shown(
        mirror(
            session("a", State="waiting", CostBasis="reported", Cost=1.25),
            session("b", Project="", Model="gpt"),
            session("c"),
            State="waiting",
            CostToday=3.5,
            CostTodayBasis="partial",
            TokensToday=12_000,
            Inhibited=True,
            Budgets=[
                {"Budget": "all/<month>", "Spent": 61.1, "Limit": 300.0, "Unit": "USD"},
                {"Budget": "codex/day", "Spent": 820_000.0, "Limit": 1_000_000.0, "Unit": "tokens"},
            ],
        ),
        NOW,
    )
    assert told == {
        "text": "◆ 1  ▶ 2  ≥$3.50",
        "alt": "waiting",
        "class": "waiting",
        "percentage": 82,
        "tooltip": "<b>1 waiting for you, 2 working</b>\n"
        "<tt>AGENT        PROJECT  STATE    SINCE  TOKENS   COST</tt>\n"
        "<tt>claude-code  shop     waiting  14:02    1.5k  $1.25</tt>\n"
        "<tt>claude-code  gpt      working  14:02    1.5k      –</tt>\n"
        "<tt>claude-code  shop     working  14:02    1.5k      –</tt>\n"
        "today: 12.0k tokens, ≥$3.50\n"
        "budget codex/day: 820.0k of 1.0M tokens, 82 %\n"
        "budget all/&lt;month&gt;: $61.10 of $300.00, 20 %\n"
        "notifications are inhibited",
    }


def test_without_sessions_and_cost_there_is_nothing_to_show() -> None:
    told = shown(mirror(State="none"), NOW)
    assert (told["text"], told["class"]) == ("", "none")
    assert "percentage" not in told
    assert "no sessions" in told["tooltip"]


@pytest.mark.parametrize(
    ("spent", "limit", "told"), [(0, 10, 0), (9.99, 10, 99), (10, 10, 100), (45, 10, 100), (0, 0, 100)]
)
def test_the_percentage_is_what_is_used_of_the_tightest_budget(spent: float, limit: float, told: int) -> None:
    tight, wide = (
        {"Budget": "b", "Spent": used, "Limit": most, "Unit": "USD"} for used, most in ((spent, limit), (0, 1))
    )
    assert shown(mirror(Budgets=[wide, tight]), NOW)["percentage"] == told


def test_without_a_monitor_the_bar_says_why() -> None:
    nobody = Mirror()
    nobody.lose("aimond is not running; <start> it")
    told = shown(nobody, NOW)
    assert (told["class"], told["tooltip"]) == ("off", "aimond is not running; &lt;start&gt; it")


def test_sub_agents_count_where_they_need_the_user() -> None:
    child = {"Parent": f"{ROOT}/session/a"}
    told = mirror(session("a"), session("b", State="completed", **child), session("c", State="waiting", **child))
    assert told.counts() == {"waiting": 1, "working": 1}


def test_a_tooltip_ends_somewhere() -> None:
    told = shown(mirror(*(session(f"s{number}") for number in range(256))), NOW)
    assert told["tooltip"].count("<tt>") == SHOWN + 1
    assert told["tooltip"].endswith(f"and {256 - SHOWN} more")


def test_the_direction_of_a_name_ends_with_it() -> None:
    told = shown(mirror(session(Project="\u05e9\u05dc\u05d5\u05dd")), NOW)
    assert re.search("\u2068\u05e9\u05dc\u05d5\u05dd *\u2069  working", told["tooltip"])


@pytest.mark.parametrize("name", ["<b>&amp;</tt>", "<span <b </ &#0; ]]>", "\"'\\\\", "<" * 10_000, "x" * 10_000])
def test_markup_in_names_is_text(name: str) -> None:
    told = shown(mirror(session(Project=name, Agent=name, State=name), State=name), NOW)
    assert len(json.dumps(told)) < 4000
    for part in ("text", "tooltip"):
        ElementTree.fromstring(f"<markup>{told[part]}</markup>")


@given(st.text(), st.text(), st.text())
def test_any_names_make_one_line_of_json_and_of_markup(project: str, agent: str, state: str) -> None:
    text = line(mirror(session(Project=project, Agent=agent, State=state)), NOW)
    assert len(text.splitlines()) == 1
    text.encode()
    markup = json.loads(text)["tooltip"]
    assert ElementTree.fromstring(f"<markup>{markup}</markup>").find("b") is not None


# -- what was said so far ---------------------------------------------------------------------------


def test_signals_change_what_is_known() -> None:
    told = mirror()
    added = {key: value for key, value in session().items() if key != "Path"}
    at = f"{ROOT}/session/a"
    interface = "org.ai.Monitor.Session"
    changed = {"interface_name": interface, "changed_properties": {"State": "waiting"}, "invalidated_properties": []}
    assert told.apply(Signal("InterfacesAdded", ROOT, {"object": at, "interfaces": {interface: added}}))
    assert told.apply(Signal("PropertiesChanged", at, changed))
    assert told.by_urgency() == [session(State="waiting")]
    assert not told.apply(Signal("PropertiesChanged", f"{at}b", changed))
    assert not told.apply(Signal("SessionStateChanged", ROOT, {"id": "a"}))
    assert told.apply(Signal("InterfacesRemoved", ROOT, {"object": at, "interfaces": [interface]}))
    assert not told.apply(Signal("InterfacesRemoved", ROOT, {"object": at, "interfaces": [interface]}))
    assert told.by_urgency() == []
    ours = {"interface_name": "org.ai.Monitor", "changed_properties": {"CostToday": 2.0}}
    assert told.apply(Signal("PropertiesChanged", ROOT, ours))
    assert told.properties["CostToday"] == 2.0


def test_the_most_urgent_comes_first_and_then_the_newest() -> None:
    told = mirror(
        session("old", StateSince=1), session("new", StateSince=2), session("asks", State="waiting"),
        session("later", State="dreaming"),
    )  # fmt: skip
    assert [each["Id"] for each in told.by_urgency()] == ["asks", "new", "old", "later"]
