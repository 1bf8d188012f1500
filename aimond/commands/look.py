"""How sessions look, on every surface for people: one table of states, one of columns. Plain text, nothing written."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from aimond.core.snapshot import State

Session = dict[str, Any]
Budget = dict[str, Any]  # a row of Budgets


class Look(NamedTuple):
    """A state: its sign on narrow surfaces, what it says of sessions, its colour as SGR codes and in rich's words.

    The signs are in DejaVu Sans and in most terminal fonts, and one cell wide.
    """

    sign: str
    says: str
    sgr: str
    style: str


LOOKS: Final[dict[str, Look]] = {
    State.WAITING: Look("◆", "waiting for you", "1;33", "bold yellow"),
    State.FAILED: Look("✗", "failed", "1;31", "bold red"),
    State.COMPLETED: Look("✓", "completed", "32", "green"),
    State.QUIET: Look("◇", "gone quiet: done, or waiting for you", "36", "cyan"),
    State.WORKING: Look("▶", "working", "34", "blue"),
    State.IDLE: Look("○", "idle", "2", "dim"),
}

# Only for sums shown to people; a script reads --json.
_UNITS: Final = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_SPANS: Final = ((172800, 86400, "d"), (3600, 3600, "h"), (60, 60, "m"))
_TOKENS: Final = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "ToolPromptTokens", "OutputTokens")
_BOUND: Final = {"unknown": "?", "none": "–"}


def look(state: str) -> Look:
    """The look of a state; of one that a later version has, a generic one."""
    return LOOKS.get(state) or Look("?", fit(state, 16), "", "")


def fit(name: str, width: int) -> str:
    """A stranger's text in at most ``width`` cells: no control characters, no marks that change the direction of what
    follows or cannot be seen, no more marks on a letter than letters; "…" where it was cut.
    """
    name = " ".join(name[: 8 * width].split())
    clean = "".join(char for char in name if char.isprintable())
    if cells(clean) <= width and len(clean) <= 2 * width:
        return clean
    kept, room = "", width - 1
    for char in clean[: 2 * width - 1]:
        if (room := room - cells(char)) < 0:
            break
        kept += char
    return f"{kept}…"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: two for wide East Asian characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text with spaces after it, or before it where it stands at the right, up to ``width`` cells."""
    space = " " * (width - cells(text))
    return space + text if right else text + space


def amount(number: int) -> str:
    """A count for people: 12.3k."""
    return next((f"{number / size:.1f}{unit}" for size, unit in _UNITS if number >= size), str(number))


def money(value: float, basis: str) -> str:
    """USD for people, with what is known of it: ≥ where some calls have no price, ? where none has one."""
    return _BOUND.get(basis) or f"{'≥' if basis == 'partial' else ''}${value:.2f}"


def span(seconds: float) -> str:
    """A length of time for people: 42s, 3m, 2h, 5d."""
    size, unit = _span(seconds)
    return f"{max(0, int(seconds)) // size}{unit}"


def step(seconds: float) -> int:
    """How many seconds the unit has in which an age of so many is told: 60 at least."""
    return max(60, _span(seconds)[0])


def _span(seconds: float) -> tuple[int, str]:
    return next(((size, unit) for least, size, unit in _SPANS if seconds >= least), (1, "s"))


def age(seconds: float) -> str:
    """A length of time that changes once a minute at most: <1m, 3m, 2h, 5d."""
    return span(seconds) if seconds >= 60 else "<1m"


def clock(time: int, now: datetime) -> str:
    """A time in µs since the epoch as a local clock says it, with the day unless that is today; "" if unknown."""
    if not time:
        return ""
    moment = datetime.fromtimestamp(time / 1e6, now.tzinfo)
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%b %d %H:%M")


def tokens(session: Session) -> int:
    """All tokens of a session, in and out, cache reads included."""
    return sum(session[name] for name in _TOKENS)


def used(budget: Budget) -> float:
    """The share of a budget that is spent, 1 for all of it."""
    return float(budget["Spent"] / budget["Limit"]) if budget["Limit"] else 1.0


def budgeted(budget: Budget) -> str:
    """A budget in figures: ``budget daily: $8.12 of $10.00, 81 %``."""
    in_tokens, share = budget["Unit"] == "tokens", f"{100 * used(budget):.0f} %"
    spent, limit = (amount(int(budget[key])) if in_tokens else f"${budget[key]:.2f}" for key in ("Spent", "Limit"))
    return f"budget {fit(budget['Budget'], 24)}: {spent} of {limit}{' tokens' if in_tokens else ''}, {share}"


def counted(counts: dict[str, int]) -> str:
    """How many sessions are in which state, in words: ``1 waiting for you, 2 working``."""
    return ", ".join(f"{count} {look(state).says}" for state, count in counts.items()) or "no sessions"


# What a table may show: of each column, the widest it gets, and what stands in it.
COLUMNS: Final[dict[str, tuple[int, Callable[[Session], str]]]] = {
    "STATE": (9, lambda session: session["State"]),
    "AGENT": (12, lambda session: session["Agent"]),
    "PROJECT": (24, lambda session: session["Project"] or session["Model"]),
    "TOKENS": (8, lambda session: amount(tokens(session))),
    "COST": (9, lambda session: money(session.get("Cost", 0), session["CostBasis"])),
    "REASON": (24, lambda session: session["Reason"]),
    "SESSION": (40, lambda session: session["Id"]),
}
NUMBERS: Final = frozenset({"FOR", "SINCE", "TOK/MIN", "TOKENS", "COST"})


def cell(session: Session, column: str) -> str:
    """What stands in that column for a session."""
    width, value = COLUMNS[column]
    return fit(value(session), width)


def table(rows: list[list[str]]) -> list[list[str]]:
    """The rows, the first of them the names of the columns, with all cells of a column equally wide."""
    columns = zip(*rows, strict=True)
    sides = [(max(map(cells, column)), column[0] in NUMBERS) for column in columns]
    return [[pad(text, width, right=right) for text, (width, right) in zip(row, sides, strict=True)] for row in rows]
