"""Values of the core as columns of the tables, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter, mul
from typing import Any, Final, TypeVar

from aimond.core.rows import CallRow, SessionRow, TurnRow
from aimond.core.snapshot import Basis
from aimond.core.usage import Spent, Usage

# Money is whole dollars and 1e-12 dollars, as the core rounds it: sums of integers are exact, and neither overflows
# 64 bits before there are 18 million calls, whatever strangers say they cost.
PICO: Final = 10**12
# More tokens than any call can have. The door lets 2^63 through, and then sums would overflow.
MOST_TOKENS: Final = 10**12

TOKENS: Final = Usage.__struct_fields__
# Spent after its usage. ``table_usd`` and ``table_pico`` are what the price table says, beside what counts.
SPENT: Final = (
    *("requests", *TOKENS, "usd", "pico", "reported", "computed", "estimated"),
    *("table_usd", "table_pico", "tabled", "cut"),
)
SUMS: Final = ", ".join(f"sum({name})" for name in SPENT)

SESSION: Final = SessionRow.__struct_fields__
_FLAGS: Final = ("hidden", "shown", "hooked", "intact")
TURN: Final = ("number", "started", "ended", "outcome", "source", "announced", "acknowledged")
_PRICE: Final = ("usd", "pico", "basis", "estimated", "table_usd", "table_pico")
CALL: Final = ("session", "key", "at", "model", "requests", *TOKENS, *_PRICE)
# What a row of CALL adds to the sums, as CallRow.spent has it: a correction (requests = 0) is no priced call.
OF_CALL: Final = (
    *("requests", *TOKENS, "ifnull(usd, 0)", "ifnull(pico, 0)"),
    *("requests * (basis = 'reported')", "requests * (basis = 'computed')"),
    "requests * (estimated AND basis = 'computed')",
    *("ifnull(table_usd, 0)", "ifnull(table_pico, 0)", "requests * (table_usd IS NOT NULL)"),
    "requests = 0 AND input + cache_read + cache_write + tool_prompt + output > 0",
)

Columns = tuple[Any, ...]
T = TypeVar("T")

_tokens: Final = attrgetter(*TOKENS)
_counts: Final = attrgetter("requests", *(f"usage.{name}" for name in TOKENS))
_session: Final = attrgetter(*SESSION)
_turn: Final = attrgetter(*TURN)
_REQUESTS: Final = CALL.index("requests")
_END: Final = CALL.index("usd")
BASIS: Final = CALL.index("basis")
_ESTIMATED: Final = CALL.index("estimated")
_TABLE: Final = CALL.index("table_usd")
_UNPRICED: Final = (None, None)


def marks(number: int) -> str:
    """As many question marks."""
    return ", ".join("?" * number)


def _bounded(counts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(count, MOST_TOKENS) for count in counts) if max(counts) > MOST_TOKENS else counts


def _money(cost: Decimal) -> tuple[int, int]:
    return divmod(int(cost.scaleb(12)), PICO)


def call_columns(row: CallRow, session: int, model: int) -> Columns:
    """A row as CALL has it."""
    cost = _UNPRICED if row.cost is None else _money(row.cost)
    table = _UNPRICED if row.computed is None else _money(row.computed)
    counts = _bounded(_counts(row))
    return (session, row.key, row.at, model, *counts, *cost, row.basis._value_, row.estimated, *table)


def to_call(agent: str, session: str, model: str, provider: str, columns: Columns) -> CallRow:
    """Columns of CALL as a row."""
    return CallRow(
        agent=agent,
        session=session,
        key=columns[1],
        at=columns[2],
        model=model,
        provider=provider,
        requests=columns[_REQUESTS],
        usage=Usage(*columns[_REQUESTS + 1 : _END]),
        cost=_to_price(*columns[_END : _END + 2]),
        basis=Basis(columns[BASIS]),
        computed=_to_price(*columns[_TABLE : _TABLE + 2]),
        estimated=bool(columns[_ESTIMATED]),
    )


def sums_of_calls(calls: Sequence[Columns]) -> list[int]:
    """What columns of CALL add together, as SPENT has it. All of one basis."""
    columns = list(zip(*calls, strict=True))
    requests, *tokens = map(sum, columns[_REQUESTS:_END])
    basis = calls[0][BASIS]
    cuts = () if all(columns[_REQUESTS]) else [call for call in calls if not call[_REQUESTS]]
    return [
        *(requests, *tokens, *(sum(filter(None, column)) for column in columns[_END : _END + 2])),
        requests if basis == Basis.REPORTED else 0,
        requests if basis == Basis.COMPUTED else 0,
        sum(map(mul, columns[_REQUESTS], columns[_ESTIMATED])) if basis == Basis.COMPUTED else 0,
        *(sum(filter(None, column)) for column in columns[_TABLE : _TABLE + 2]),
        sum(count for count, usd in zip(columns[_REQUESTS], columns[_TABLE], strict=True) if usd is not None),
        sum(Usage(*call[_REQUESTS + 1 : _END]).total > 0 for call in cuts),
    ]


def spent_columns(spent: Spent) -> Columns:
    """A sum as SPENT has it."""
    counts = (spent.reported, spent.computed, spent.estimated)
    tokens, money, table = _bounded(_tokens(spent.usage)), _money(spent.cost), _money(spent.table)
    return (spent.requests, *tokens, *money, *counts, *table, spent.tabled, spent.cut)


def to_spent(columns: Sequence[int]) -> Spent:
    """Columns of SPENT as a sum."""
    requests, *tokens = columns[: 1 + len(TOKENS)]
    usd, pico, reported, computed, estimated, *table, tabled, cut = columns[1 + len(TOKENS) :]
    cost = _to_money(usd, pico)
    return Spent(requests, Usage(*tokens), cost, reported, computed, estimated, _to_money(*table), tabled, cut)


def _to_money(usd: int, pico: int) -> Decimal:
    # Made of text, as a context's precision must not round it.
    return Decimal(f"{usd * PICO + pico}e-12")


def _to_price(usd: int | None, pico: int | None) -> Decimal | None:
    return None if usd is None or pico is None else _to_money(usd, pico)


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
