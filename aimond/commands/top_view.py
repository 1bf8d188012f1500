"""What ``aimond top`` shows, for any size of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aimond.commands.look import (
    NUMBERS,
    Budget,
    Session,
    age,
    amount,
    budgeted,
    cell,
    counted,
    fit,
    look,
    money,
    step,
    used,
)
from aimond.commands.mirror import Mirror
from aimond.commands.top_rates import Rates

KEYS: Final = "↑↓ choose · enter focus · a acknowledge · A all · e explain · i inhibit · q quit"
_AROUND: Final = 4  # lines: the head, the heading of the table, the message, the keys

BUDGETS: Final = 3  # the tightest
_SPENT: Final = ((1.0, "bold red"), (0.8, "yellow"), (0.0, "dim"))

_NARROW: Final = ("STATE", "FOR", "PROJECT", "REASON")
_USUAL: Final = ("STATE", "FOR", "AGENT", "PROJECT", "TOK/MIN", "TOKENS", "COST", "REASON")
_WIDE: Final = (*_USUAL, "SESSION")
_COLUMNS: Final = ((130, _WIDE), (72, _USUAL), (0, _NARROW))
_ELASTIC: Final = {"PROJECT": 3, "REASON": 2}
_LEAST: Final = {"STATE": 11, "FOR": 3, "AGENT": 11, "TOKENS": 6, "COST": 6}  # so that usual changes move no column


@dataclass
class Shown:
    """What is on the screen besides what the monitor says: the path of the chosen session, the reasons of a session
    in place of the sessions, a message, whether we inhibit.
    """

    chosen: str = ""
    reasons: list[dict[str, Any]] | None = None
    message: str = ""
    inhibits: bool = False
    rates: Rates = field(default_factory=Rates)


def view(mirror: Mirror, shown: Shown, width: int, height: int, now: datetime) -> RenderableType:
    """The whole screen, at most ``height`` lines."""
    budgets = [_budget(each, width) for each in mirror.budgets()[:BUDGETS]]
    room = max(1, height - _AROUND - len(budgets))
    body: RenderableType
    if mirror.off:
        body = Text(mirror.off)
    elif shown.reasons is not None:
        body = _reasons(shown.reasons[:room])
    else:
        body = _sessions(mirror, shown, width, room, now)
    message = Text(fit(shown.message, width), "yellow")
    keys = KEYS if shown.reasons is None else "e back · q quit"
    return Group(_line(_head(mirror, shown), width, "bold"), *budgets, body, message, _line(keys, width, "dim"))


def _line(text: str, width: int, style: str = "") -> Text:
    return Text(fit(text, width), style, no_wrap=True)


def _head(mirror: Mirror, shown: Shown) -> str:
    if mirror.off:
        return "aimond"
    properties = mirror.properties
    parts = ["aimond"]
    if shown.inhibits or properties["Inhibited"]:
        parts.append("inhibited here" if shown.inhibits else "inhibited")
    if used := properties["TokensToday"]:
        parts.append(f"today {amount(used)} tokens {money(properties['CostToday'], properties['CostTodayBasis'])}")
    return " · ".join([*parts, counted(mirror.counts())])


def _budget(budget: Budget, width: int) -> Text:
    style = next(style for least, style in _SPENT if used(budget) >= least)
    return _line(budgeted(budget), width, style)


def _sessions(mirror: Mirror, shown: Shown, width: int, room: int, now: datetime) -> Table:
    columns = next(columns for least, columns in _COLUMNS if width >= least)
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        justify: Any = "right" if column in NUMBERS else "left"
        ratio = 1 if column in _ELASTIC else None
        table.add_column(
            column, justify=justify, no_wrap=True, overflow="ellipsis", ratio=ratio, min_width=_LEAST.get(column)
        )
    for session in visible(mirror.by_urgency(), shown.chosen, room):
        style = "reverse" if session["Path"] == shown.chosen else ""
        table.add_row(*(_cell(session, column, shown, now) for column in columns), style=style)
    return table


def visible(sessions: list[Session], chosen: str, room: int) -> list[Session]:
    """As many sessions as there is room for, the chosen one among them."""
    at = next((place for place, session in enumerate(sessions) if session["Path"] == chosen), 0)
    first = max(0, min(at - room + 1, len(sessions) - room)) if at >= room else 0
    return sessions[first : first + room]


def _cell(session: Session, column: str, shown: Shown, now: datetime) -> Text:
    own = _OWN.get(column)
    return own(session, shown, now) if own else Text(cell(session, column))


def _state(session: Session, _shown: Shown, _now: datetime) -> Text:
    state = look(session["State"])
    return Text(f"{state.sign} {cell(session, 'STATE')}", state.style)


def _for(session: Session, _shown: Shown, now: datetime) -> Text:
    since = session["StateSince"]
    return Text(age(now.timestamp() - since / 1e6) if since else "")


def _rate(session: Session, shown: Shown, _now: datetime) -> Text:
    return Text(amount(rate) if (rate := shown.rates.per_minute(session["Path"])) else "")


_OWN: Final[dict[str, Callable[[Session, Shown, datetime], Text]]] = {"STATE": _state, "FOR": _for, "TOK/MIN": _rate}


def _reasons(reasons: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("TIME", "STATE", "EVIDENCE", "CONFIDENCE", "RECORD"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for reason in reasons:
        words = (reason["State"], reason["Evidence"], reason["Confidence"], reason["Record"])
        style = look(reason["State"]).style
        moment = datetime.fromtimestamp(reason["Time"] / 1e6).astimezone()
        cells = (Text(fit(words[0], 9), style), *(Text(fit(word, 200)) for word in words[1:]))
        table.add_row(f"{moment:%H:%M:%S}", *cells)
    return table


def next_age(mirror: Mirror, now: float) -> float | None:
    """When the first age on the screen becomes another one, None if there is none. Seconds since the epoch."""
    starts = (session["StateSince"] / 1e6 for session in mirror.sessions.values() if session["StateSince"])
    return min((_next_step(start, now) for start in starts), default=None)


def _next_step(start: float, now: float) -> float:
    unit = step(now - start)
    return start + unit * (max(0.0, now - start) // unit + 1)
