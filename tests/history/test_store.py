"""What is put is there again: after a restart, in sums, exactly, once."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aimond.core.ledger import BUCKET
from aimond.core.rows import CrossedRow, Rows, SessionRow
from aimond.core.snapshot import Basis, State
from aimond.core.turn import SECOND
from aimond.core.usage import Spent, Usage
from aimond.history import columns, schema
from aimond.history.store import Store
from tests.history.desk import (
    AGENT,
    DAY,
    EVER,
    NOON,
    Told,
    call,
    calls,
    counted,
    opened,
    session,
    shell,
    sound,
    spent,
    turn,
)


async def test_a_restart_finds_everything_that_was_put(path: Path) -> None:
    row = session(title="Claude Code", pid=7, pid_start=2**40, shown=True, asks=1, state=State.WORKING, turns=8)
    used = Spent(1, Usage(5), Decimal("0.1"), 1)
    turns = [turn(number, announced=number == 3, outcome="completed", spent=used) for number in range(1, 9)]
    rows = Rows(sessions=[row], turns=turns, calls=[call("a"), call("b", at=NOON + 1)])
    async with opened(path) as store:
        store.put(rows)
        store.put(Rows(counted=[counted("p", at=NOON + 2)]))
    async with opened(path) as store:
        (past,) = store.past(0, 10)
        assert past.session == row
        assert past.turns == turns[2:]
        assert past.models == {"sonnet": Spent(2, Usage(20, 40, 60, 0, 10, 4), Decimal(1), 2)}
        assert past.keys == ["a", "b", "p"]
        assert store.buckets(0) == {NOON // BUCKET: past.models["sonnet"]}
    assert sound(path)


async def test_a_restart_finds_calls_with_their_prices_and_all_corrections(path: Path) -> None:
    rows = [
        call("a", computed=Decimal("0.000000000001"), estimated=True),
        call("b", at=NOON + 1, cost=None, provider="", usage=Usage(1, 2, 3, 4, 5, 6, 3)),
        call("c", at=NOON + 2, basis=Basis.COMPUTED, computed=Decimal("0.5"), estimated=True),
    ]
    old = call("old", at=NOON - DAY, requests=0)
    async with opened(path) as store:
        store.put(Rows(sessions=[session()]))
        store.put(calls(old, *(call(f"x{number}", at=NOON - number) for number in range(1, 2100)), *rows))
        assert await store.written()
        (past,) = store.past(0, 1)
        assert (past.calls[0], past.calls[-3:]) == (old, rows)
        assert len(past.calls) == 2049


async def test_a_restart_knows_which_thresholds_were_told(path: Path) -> None:
    told = [CrossedRow("b", "", "2026-11-01", 50), CrossedRow("a", "codex", "2026-11-26", 80)]
    async with opened(path) as store:
        store.put(Rows(crossed=told))
        store.put(Rows(crossed=told[:1]))
    async with opened(path) as store:
        assert store.spending(0, lambda at: date(2026, 11, 1)) == (
            [],
            [("b", "", "2026-11-01", 50), ("a", "codex", "2026-11-26", 80)],
        )


async def test_what_was_spent_of_budgets_is_by_day_and_whose_it_is(path: Path) -> None:
    served = session("s1", project="aimond")
    hidden = session("title", serves="s1", hidden=True)
    async with opened(path) as store:
        store.put(Rows(sessions=[served, hidden]))
        store.put(calls(call("old", at=NOON - DAY), call("a"), call("b", at=NOON + 900 * SECOND), call("c", "title")))
        store.put(calls(call("d", at=NOON + DAY, model="opus")))
        assert await store.written()
        parts, _ = store.spending(NOON, lambda at: date.fromordinal(1 + at // DAY))
        today = 1 + NOON // DAY
        assert [(part.day.toordinal() - today, part.session, part.project, part.model) for part in parts] == [
            (0, "s1", "aimond", "sonnet"),
            (0, "s1", "aimond", "sonnet"),
            (1, "s1", "aimond", "opus"),
        ]
        assert [part.spent.requests for part in parts] == [2, 1, 1]


async def test_the_past_is_the_newest_sessions_and_their_newest_keys(path: Path) -> None:
    async with opened(path) as store:
        store.put(Rows(sessions=[session(f"s{number}", NOON + number) for number in range(5)]))
        store.put(Rows(counted=[counted(f"k{number:05}", "s4", NOON + number) for number in range(5000)]))
        assert await store.written()
        assert [past.session.id for past in store.past(NOON + 2, 2)] == ["s4", "s3"]
        assert [past.session.id for past in store.past(NOON + 3, 9)] == ["s4", "s3"]
        assert store.past(0, 1)[0].keys == [f"k{number:05}" for number in range(904, 5000)]


async def test_a_call_that_is_sent_again_or_corrected_counts_once(path: Path) -> None:
    async with opened(path) as store:
        store.put(calls(call("a"), call("b")))
        assert await store.written()
        store.put(calls(call("a"), call("b", cost="0.25", at=NOON + DAY, model="opus"), call("c", cost=None)))
        assert await spent(store) == {AGENT: (3, Decimal("0.75"))}
        assert await spent(store, "model") == {"sonnet": (2, Decimal("0.5")), "opus": (1, Decimal("0.25"))}
        (row,) = await store.usage(*EVER, "agent")
        assert row.spent.basis is Basis.PARTIAL
    assert sound(path)


async def test_a_correction_adds_tokens_and_is_no_call(path: Path) -> None:
    async with opened(path) as store:
        store.put(calls(call("a"), call("cut", requests=0, cost="0.1", usage=Usage(output=7))))
        (row,) = await store.usage(*EVER, "agent")
        assert row.spent == Spent(1, Usage(10, 20, 30, 0, 12, 2), Decimal("0.6"), 1, cut=1)


async def test_turns_that_are_no_more_are_gone(path: Path) -> None:
    async with opened(path) as store:
        store.put(Rows(sessions=[session(turns=4)], turns=[turn(number) for number in range(1, 5)]))
        assert await store.written()
        store.put(Rows(sessions=[session(turns=2)]))
        store.put(Rows(sessions=[session(turns=3)], turns=[turn(3, outcome="failed")]))
        assert await store.written()
        (past,) = store.past(0, 1)
        assert [(each.number, each.outcome) for each in past.turns] == [(1, ""), (2, ""), (3, "failed")]


async def test_money_is_exact_to_the_last_place_and_the_largest_sum(path: Path) -> None:
    costs = ["0.000000000001", "0.100000000003", "999999999.999999999999", "-0.000000000002"]
    async with opened(path) as store:
        store.put(calls(*(call(cost, cost=cost) for cost in costs)))
        assert await spent(store) == {AGENT: (4, sum(map(Decimal, costs), Decimal(0)))}
        store.put(calls(*(call(str(number), cost="999999999", usage=Usage(2**63 - 1)) for number in range(40))))
        ((requests, cost),) = (await spent(store)).values()
        assert (requests, cost) == (44, sum(map(Decimal, costs), Decimal(999999999 * 40)))
    assert sound(path)


async def test_local_days_begin_where_the_clock_says_also_when_it_is_changed(path: Path, berlin: None) -> None:
    zone = ZoneInfo("Europe/Berlin")

    def at(*when: int) -> int:
        return int(datetime(*when, tzinfo=zone).timestamp()) * SECOND  # type: ignore[misc]

    autumn = [(2026, 10, 24, 23, 59), (2026, 10, 25, 0, 0), (2026, 10, 25, 23, 59), (2026, 10, 26, 0, 0)]
    moments = [*autumn, (2026, 3, 29, 23, 59), (2026, 3, 30, 0, 0)]
    async with opened(path) as store:
        store.put(calls(*(call(str(when), at=at(*when)) for when in moments)))
        days = {row.key: row.spent.requests for row in await store.usage(*EVER, "day")}
        assert days == {"2026-03-29": 1, "2026-03-30": 1, "2026-10-24": 1, "2026-10-25": 2, "2026-10-26": 1}
        assert list(days) == sorted(days)
        (day,) = await store.usage(at(2026, 10, 25), at(2026, 10, 26), "day")
        assert (day.key, day.spent.requests) == ("2026-10-25", 2)


async def test_hidden_work_counts_under_the_session_and_the_project_it_serves(path: Path) -> None:
    threads = [
        session("s1", project="aimond"),
        session("title", serves="s1", hidden=True),
        session("deep", serves="title", hidden=True),
        session("lost", serves="gone", hidden=True, project="p"),
    ]
    async with opened(path) as store:
        store.put(Rows(sessions=threads, calls=[call("a", name.id) for name in threads]))
        assert await spent(store, "session") == {"s1": (3, Decimal("1.5")), "gone": (1, Decimal("0.5"))}
        assert await spent(store, "project") == {"aimond": (3, Decimal("1.5")), "p": (1, Decimal("0.5"))}
        (first, _) = await store.usage(*EVER, "session")
        assert (first.key, first.agent, first.project) == ("s1", AGENT, "aimond")


async def test_the_project_of_now_is_the_one_that_counts(path: Path) -> None:
    async with opened(path) as store:
        store.put(Rows(sessions=[session()], calls=[call("a")]))
        assert list(await spent(store, "project")) == [""]
        store.put(Rows(sessions=[session(project="aimond")]))
        assert list(await spent(store, "project")) == ["aimond"]


async def test_models_that_were_seen(path: Path) -> None:
    other = call("c", at=NOON - DAY, agent="codex", model="gpt", provider="openai")
    async with opened(path) as store:
        store.put(calls(call("a"), call("b", at=NOON + DAY), other))
        first, second = await store.models()
        assert (first.agent, first.model, first.provider) == (AGENT, "sonnet", "anthropic")
        assert (first.first, first.last, first.spent.requests) == (NOON, NOON + DAY, 2)
        assert (second.agent, second.model, second.spent.requests) == ("codex", "gpt", 1)


async def test_without_a_file_it_remembers_while_it_lives() -> None:
    async with opened(None) as store:
        store.put(calls(call("a")))
        assert await spent(store) == {AGENT: (1, Decimal("0.5"))}
        assert store.buckets(NOON + BUCKET) == {}


async def test_nobody_else_may_read_it(path: Path) -> None:
    async with opened(path) as store:
        store.put(calls(call("a")))
        assert await store.written()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(modes.values()) == {0o600}
        assert set(modes) >= {path.name, f"{path.name}-wal"}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_is_too_old_is_deleted_at_the_start_and_once_a_day(path: Path) -> None:
    now = NOON
    async with opened(path) as store:
        store.put(Rows(sessions=[session("old", NOON - 20 * DAY), session()], turns=[turn(1, "old")]))
        store.put(calls(*(call(str(days), "old" if days else "s1", at=NOON - days * DAY) for days in range(20))))
    async with opened(path, keep_days=10, clock=lambda: now) as store:
        await until(lambda: count(path, "call") == 11, store)
        now = NOON + 12 * DAY
        store.put(calls(call("new", at=now)))
        await until(lambda: count(path, "call") == 1, store)
        await until(lambda: count(path, "session") == 1, store)
    assert sound(path)


async def test_what_grows_too_old_while_it_is_looked_for_is_deleted_with_the_next_write(path: Path) -> None:
    async with opened(path) as store:
        store.put(calls(*(call(str(days), at=NOON - days * DAY) for days in range(10))))
    times = iter([NOON])
    async with opened(path, keep_days=10, clock=lambda: next(times, NOON + 12 * DAY)) as store:
        store.put(calls(call("new", at=NOON + 12 * DAY)))
        await until(lambda: count(path, "call") == 1, store)


async def until(condition: Callable[[], bool], store: Store) -> None:
    for _ in range(5000):
        if condition():
            return
        await store.written()
    raise AssertionError("it never came")


def count(path: Path, table: str) -> int:
    db = shell(path)
    (number,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return int(number)


async def test_a_history_that_is_too_large_loses_its_oldest_days_and_gives_space_back(path: Path) -> None:
    most = 200_000
    async with opened(path, max_bytes=most) as store:
        for day in range(10):
            store.put(calls(*(call(f"{day}-{number}", at=NOON + day * DAY) for number in range(500))))
            assert await store.written()
        await until(lambda: count(path, "call") < 3500, store)
        days = await store.usage(*EVER, "day")
        assert [row.spent.requests for row in days] == [500] * len(days)
        assert days[-1] == (await store.usage(NOON + 9 * DAY, NOON + 10 * DAY, "day"))[0]
        await until(lambda: size(path) <= most, store)
    assert size(path) <= most
    assert sound(path)


def size(path: Path) -> int:
    db = shell(path)  # until the log is merged into it, the file itself may be longer
    (pages,) = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    db.close()
    return int(pages)


async def test_a_second_store_waits_until_the_first_lets_go(path: Path) -> None:
    told = Told()
    async with opened(path) as first:
        first.put(calls(call("a")))
        async with opened(path, told) as second:
            second.put(calls(call("b")))
            assert not await second.written()
            assert "another monitor" in told.last
            assert await spent(second) == {AGENT: (1, Decimal("0.5"))}
            first.close()
            assert await second.written()
            assert await spent(second) == {AGENT: (2, Decimal(1))}
    assert told.last == ""


async def test_a_closed_history_answers_nobody(path: Path) -> None:
    async with opened(path) as store:
        with pytest.raises(ValueError, match="no such group: week"):
            await store.usage(*EVER, "week")
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.usage(*EVER, "day")


def test_the_table_of_sessions_has_the_fields_of_the_row() -> None:
    sql = schema.MIGRATIONS[0][0]
    assert [name for name in columns.SESSION if f" {name} " not in sql] == []
    assert [name for name in columns.SPENT if f" {name} " not in schema.MIGRATIONS[0][2]] == []
    added = {"requests", "usage", "cost", "reported", "computed", "estimated", "table", "tabled", "cut"}
    assert set(Spent.__slots__) == added  # type: ignore[attr-defined]
    assert columns.to_session(columns.session_columns(SessionRow(agent="a", id="b"))) == SessionRow(agent="a", id="b")
