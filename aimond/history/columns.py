"""Values of the core as columns of the tables, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, TypeVar

from aimond.core.rows import CallRow, SessionRow, TurnRow
from aimond.core.snapshot import Basis
from aimond.core.usage import Spent, Usage

# Money is whole dollars and 1e-12 dollars, as the core rounds it: sums of integers are exact, and neither overflows
# 64 bits before there are 18 million calls, whatever strangers say they cost.
PICO: Final = 10**12
# More tokens than any call can have. The door lets 2^63 through, and then sums would overflow.
MOST_TOKENS: Final = 10**12

TOKENS: Final = tuple(field.name for field in fields(Usage))
# The counts of Spent, and for each the basis of the calls that it counts.
COUNTS: Final = {"reported": Basis.REPORTED, "computed": Basis.COMPUTED}
SPENT: Final = ("requests", *TOKENS, "usd", "pico", *COUNTS)
SUMS: Final = ", ".join(f"sum({name})" for name in SPENT)

SESSION: Final = tuple(field.name for field in fields(SessionRow))
_FLAGS: Final = ("hidden", "shown", "hooked")
TURN: Final = ("number", "started", "ended", "outcome", "source", "announced", "acknowledged")
CALL: Final = ("session", "key", "at", "model", "requests", *TOKENS, "usd", "pico", "basis", "computed")
# What a row of CALL adds to the sums; a correction (requests = 0) is no priced call.
OF_CALL: Final = (
    "requests",
    *TOKENS,
    "ifnull(usd, 0)",
    "ifnull(pico, 0)",
    *(f"requests * (basis = '{basis}')" for basis in COUNTS.values()),
)

Columns = tuple[Any, ...]
T = TypeVar("T")

_tokens: Final = attrgetter(*TOKENS)
_call: Final = attrgetter("requests", *(f"usage.{name}" for name in TOKENS))
_counts: Final = attrgetter(*COUNTS)
_session: Final = attrgetter(*SESSION)
_turn: Final = attrgetter(*TURN)
# For every basis, what one request adds to each of COUNTS.
_COUNTED: Final = {basis: tuple(int(basis == counted) for counted in COUNTS.values()) for basis in Basis}


def marks(number: int) -> str:
    """As many question marks."""
    return ", ".join("?" * number)


def _bounded(counts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(count, MOST_TOKENS) for count in counts) if max(counts) > MOST_TOKENS else counts


def _money(cost: Decimal) -> tuple[int, int]:
    return divmod(int(cost.scaleb(12)), PICO)


def call_columns(row: CallRow, session: int, model: int) -> Columns:
    """A row as CALL has it."""
    usd, pico = (None, None) if row.cost is None else _money(row.cost)
    computed = None if row.computed is None else str(row.computed)
    counts = _bounded(_call(row))
    return (session, row.key, row.at, model, *counts, usd, pico, row.basis._value_, computed)


def sums_of_calls(calls: Sequence[Columns]) -> list[int]:
    """What columns of CALL add together, as SPENT has it. All of one basis, which counts no correction."""
    columns = list(zip(*calls, strict=True))
    requests, *tokens = map(sum, columns[4:11])
    money = (sum(filter(None, column)) for column in columns[11:13])
    return [requests, *tokens, *money, *(requests * counts for counts in _COUNTED[calls[0][13]])]


def spent_columns(spent: Spent) -> Columns:
    """A sum as SPENT has it."""
    return (spent.requests, *_bounded(_tokens(spent.usage)), *_money(spent.cost), *_counts(spent))


def to_spent(columns: Sequence[int]) -> Spent:
    """Columns of SPENT as a sum."""
    usd, pico, *counts = columns[7:]
    # Made of text, as a context's precision must not round it.
    return Spent(columns[0], Usage(*columns[1:7]), Decimal(f"{usd * PICO + pico}e-12"), *counts)


def add_up(parts: Iterable[tuple[T, Sequence[int]]]) -> dict[T, list[int]]:
    """The sum of columns of SPENT, by whatever stands before them."""
    groups: defaultdict[T, list[Sequence[int]]] = defaultdict(list)
    for group, columns in parts:
        groups[group].append(columns)
    return {group: list(map(sum, zip(*columns, strict=True))) for group, columns in groups.items()}


def session_columns(row: SessionRow) -> Columns:
    """A row as SESSION has it."""
    columns: Columns = _session(row)
    return columns


def to_session(columns: Columns) -> SessionRow:
    """Columns of SESSION as a row."""
    named = dict(zip(SESSION, columns, strict=True))
    return SessionRow(**named | {flag: bool(named[flag]) for flag in _FLAGS})


def turn_columns(row: TurnRow, session: int) -> Columns:
    """A row as session, TURN and SPENT have it."""
    return (session, *_turn(row), *spent_columns(row.spent))


def to_turn(agent: str, session: str, columns: Columns) -> TurnRow:
    """Columns of TURN and SPENT as a row."""
    named = dict(zip(TURN, columns, strict=False))
    named["announced"] = bool(named["announced"])
    return TurnRow(agent=agent, session=session, **named, spent=to_spent(columns[len(TURN) :]))
