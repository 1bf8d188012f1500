"""Whatever is put in whatever order, twice or late: the file holds what a plain dictionary would."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aimond.core.ledger import BUCKET
from aimond.core.rows import CallRow, Rows, SessionRow, TurnRow
from aimond.core.snapshot import Basis
from aimond.core.usage import NOTHING, Spent, Usage
from aimond.history.pending import Pending
from aimond.history.shelf import Shelf
from tests.history.desk import EVER, NOON, sound

names = st.sampled_from(["s1", "s2", "s3"])
agents = st.sampled_from(["claude-code", "codex"])
times = st.integers(NOON - 3 * BUCKET, NOON + 3 * BUCKET)
tokens = st.integers(0, 10**12)
money = st.none() | st.integers(-(10**20), 10**20).map(lambda pico: Decimal(pico).scaleb(-12))
spent = st.builds(
    Spent,
    st.integers(0, 9),
    st.builds(Usage, tokens, tokens),
    money.map(lambda cost: cost or Decimal(0)),
    st.integers(0, 9),
    st.integers(0, 9),
)
sessions = st.builds(
    SessionRow,
    agent=agents,
    id=names,
    serves=st.sampled_from(["", "s1", "s3"]),
    project=st.sampled_from(["", "p", "q\0r"]),
    turns=st.integers(0, 4),
    last_seen=times,
)
turns = st.builds(
    TurnRow, agent=agents, session=names, number=st.integers(1, 5), started=times, announced=st.booleans(), spent=spent
)
rows_of_calls = st.builds(
    CallRow,
    agent=agents,
    session=names,
    key=st.sampled_from("abcdef"),
    at=times,
    model=st.sampled_from(["", "m1", "m2"]),
    provider=st.sampled_from(["", "x"]),
    requests=st.integers(0, 1),
    usage=st.builds(Usage, tokens, tokens, tokens, tokens, tokens, tokens),
    cost=money,
    basis=st.sampled_from([Basis.REPORTED, Basis.COMPUTED, Basis.UNKNOWN]),
    computed=money,
    estimated=st.booleans(),
)
puts = st.lists(
    st.builds(
        Rows,
        sessions=st.lists(sessions, max_size=2),
        turns=st.lists(turns, max_size=3),
        calls=st.lists(rows_of_calls, max_size=6),
    ),
    max_size=6,
)


class Plain:
    """The same in dictionaries."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[str, str], SessionRow] = {}
        self.turns: dict[tuple[str, str, int], TurnRow] = {}
        self.calls: dict[tuple[str, str, str], CallRow] = {}

    def put(self, rows: Rows) -> None:
        for session in rows.sessions:
            self.sessions[session.agent, session.id] = session
            for key in list(self.turns):
                if key[:2] == (session.agent, session.id) and key[2] > session.turns:
                    del self.turns[key]
        self.turns |= {(turn.agent, turn.session, turn.number): turn for turn in rows.turns}
        self.calls |= {(call.agent, call.session, call.key): call for call in rows.calls}

    def sums(self, key: Callable[[CallRow], Any]) -> dict[Any, Spent]:
        sums: defaultdict[Any, Spent] = defaultdict(lambda: NOTHING)
        for call in self.calls.values():
            sums[key(call)] += call.spent
        return {group: spent for group, spent in sums.items() if spent != NOTHING}

    def owner(self, call: CallRow) -> str:
        owner = call.session
        for _ in range(4):
            row = self.sessions.get((call.agent, owner))
            if row is None or not row.serves or row.serves == owner:
                break
            owner = row.serves
        return owner


@settings(max_examples=60, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
@given(puts, st.data())
def test_any_puts_are_what_plain_dictionaries_make_of_them(puts: list[Rows], data: st.DataObject) -> None:
    plain = Plain()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "history.sqlite3"
        shelf = Shelf(path, 400, 2**30, lambda: NOON)
        for rows in puts:
            plain.put(rows)
            part = Pending()
            part.add(rows)
            shelf.add(part)
            what = data.draw(st.sampled_from(["write", "wait", "ask", "open again"]))
            if what == "write":
                assert shelf.write()
            if what == "ask":
                compare(shelf, plain)
            if what == "open again":
                assert shelf.write()
                shelf.close()
                shelf = Shelf(path, 400, 2**30, lambda: NOON)
        compare(shelf, plain)
        assert shelf.write()
        compare(shelf, plain)
        past = {(each.session.agent, each.session.id): each for each in shelf.past(1, 10)}
        assert {who: each.session for who, each in past.items()} == plain.sessions
        kept = {(turn.agent, turn.session, turn.number): turn for each in past.values() for turn in each.turns}
        assert kept == {key: turn for key, turn in plain.turns.items() if key[:2] in past}
        for (agent, name), each in past.items():
            keys = {call.key for call in plain.calls.values() if (call.agent, call.session) == (agent, name)}
            assert set(each.keys) == keys
            assert {call.key: call for call in each.calls} == {
                call.key: call for call in plain.calls.values() if (call.agent, call.session) == (agent, name)
            }
        assert shelf.buckets(0) == plain.sums(lambda call: call.at // BUCKET) | {
            bucket: NOTHING for bucket, spent in shelf.buckets(0).items() if spent == NOTHING
        }
        shelf.close()
        assert sound(path)


def compare(shelf: Shelf, plain: Plain) -> None:
    def asked(group: str, key: Callable[[Any], Any]) -> dict[Any, Spent]:
        return {key(row): row.spent for row in shelf.usage(*EVER, group)}

    assert asked("agent", lambda row: row.key) == plain.sums(lambda call: call.agent)
    assert asked("model", lambda row: row.key) == plain.sums(lambda call: call.model)
    assert asked("session", lambda row: (row.agent, row.key)) == plain.sums(
        lambda call: (call.agent, plain.owner(call))
    )
    assert shelf.problem == ""
