"""Which notices the user wants, and when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from aimond.core.notice import Kind, Notice
from aimond.core.policy import Hours, Policy
from aimond.core.snapshot import SessionSnapshot
from aimond.sections import Notifications

NIGHT = Hours(time(22), time(7))
NOON = Hours(time(12), time(13, 30))
SESSION = SessionSnapshot(id="s", agent="codex", project="web", directory="/src/web/app")


def notice(kind: Kind = Kind.COMPLETED, duration: int | None = 60_000_000, **fields: Any) -> Notice:
    session = replace(SESSION, **fields)
    return Notice(kind=kind, key=(session.agent, session.id), summary="", session=session, duration=duration)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}")


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "10T21:59:59", None),
        (NIGHT, "10T22:00", "11T07:00"),
        (NIGHT, "11T00:00", "11T07:00"),
        (NIGHT, "11T06:59:59", "11T07:00"),
        (NIGHT, "11T07:00", None),
        (NIGHT, "31T23:00", None),
        (NOON, "10T11:59", None),
        (NOON, "10T12:00", "10T13:30"),
        (NOON, "10T13:30", None),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(hours: Hours, now: str, end: str | None) -> None:
    if now == "31T23:00":
        assert hours.until(at(now)) == datetime(2026, 4, 1, 7)  # noqa: DTZ001
    else:
        assert hours.until(at(now)) == (at(end) if end else None)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 8), ("2026-10-24", 10), ("2026-06-01", 9)])
def test_the_night_in_which_the_clock_is_changed_has_another_length(day: str, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(f"{day}T22:00").replace(tzinfo=berlin).astimezone(UTC)
    quiet = [
        minute
        for minute in (start + timedelta(minutes=n) for n in range(-60, 720))
        if NIGHT.until(minute.astimezone(berlin).replace(tzinfo=None))
    ]
    assert (len(quiet), quiet[0], quiet[-1] - quiet[0]) == (60 * hours, start, timedelta(minutes=60 * hours - 1))


@pytest.mark.parametrize(
    ("text", "hours"), [("22:00-07:00", NIGHT), ("12:00-13:30", NOON), ("", None), ("08:00-08:00", None)]
)
def test_hours_are_written_as_people_do(text: str, hours: Hours | None) -> None:
    assert Hours.parse(text) == hours


@pytest.mark.parametrize("text", ["22-7", "22:00", "25:00-07:00", "22:00-07:61", "at night", "22:00-07:00-08:00"])
def test_other_hours_are_refused_by_the_configuration(text: str) -> None:
    with pytest.raises(ValueError, match="quiet_hours"):
        Notifications(quiet_hours=text)


def test_the_settings_become_a_policy() -> None:
    assert Policy.of(Notifications().model_dump()) == Policy()
    chosen = Notifications(min_duration=2.5, quiet_hours="22:00-07:00", muted_projects=("~/src",), kinds=("waiting",))
    policy = Policy.of(chosen.model_dump())
    assert (policy.min_duration, policy.quiet_hours, policy.kinds) == (2_500_000, NIGHT, ("waiting",))
    assert not next(iter(policy.muted_projects)).startswith("~")


@pytest.mark.parametrize(
    ("policy", "about", "wanted"),
    [
        ({}, {}, True),
        ({"enabled": False}, {}, False),
        ({}, {"duration": 9_999_999}, False),
        ({}, {"duration": 10_000_000}, True),
        ({}, {"duration": None}, True),
        ({"min_duration": 0}, {"duration": 0}, True),
        ({"kinds": ("waiting",)}, {}, False),
        ({"kinds": ("waiting",)}, {"kind": Kind.WAITING, "duration": None}, True),
        ({"muted_agents": ("codex",)}, {}, False),
        ({"muted_agents": ("claude-code",)}, {}, True),
        ({"muted_projects": ("web",)}, {}, False),
        ({"muted_projects": ("we",)}, {}, True),
        ({"muted_projects": ("/src/web/",)}, {}, False),
        ({"muted_projects": ("/src/web/app",)}, {}, False),
        ({"muted_projects": ("/src/we",)}, {}, True),
        ({"muted_projects": ("/",)}, {}, False),
        ({"muted_projects": ("",)}, {}, True),
        ({}, {"parent": "p"}, False),
        ({}, {"parent": "p", "kind": Kind.QUIET}, False),
        ({}, {"parent": "p", "kind": Kind.FAILED}, True),
        ({}, {"parent": "p", "kind": Kind.WAITING, "duration": None}, True),
    ],
)
def test_what_is_wanted(policy: dict[str, Any], about: dict[str, Any], wanted: bool) -> None:
    assert Policy(**policy).wants(notice(**about)) is wanted


def test_money_is_told_of_no_session() -> None:
    spent = Notice(kind=Kind.BUDGET, key=("", "daily"), summary="")
    assert Policy(muted_projects=("",), muted_agents=("",)).wants(spent)
