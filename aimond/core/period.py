"""Periods that users name: ``today``, ``week``, ``month``, or two dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from msgspec import Struct

LONGEST: Final = timedelta(days=3660)


class Period(Struct, frozen=True):
    """Local days, both included."""

    first: date
    last: date


_NAMED: Final[dict[str, Callable[[date], Period]]] = {
    "today": lambda today: Period(today, today),
    "yesterday": lambda today: Period(today - timedelta(days=1), today - timedelta(days=1)),
    "week": lambda today: Period(today - timedelta(days=today.weekday()), today),
    "month": lambda today: Period(today.replace(day=1), today),
}
NAMES: Final = tuple(_NAMED)


def parse(text: str, today: date) -> Period:
    """``today``, ``yesterday``, ``week`` (since Monday), ``month`` (since the first), ``YYYY-MM-DD`` or
    ``YYYY-MM-DD/YYYY-MM-DD``. Raises ValueError, which says what would be right."""
    if text in _NAMED:
        return _NAMED[text](today)
    first, _, last = text.partition("/")
    try:
        period = Period(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError:
        period = None
    if period is None or not timedelta() <= period.last - period.first <= LONGEST:
        raise ValueError(f"no such period: {text[:40]!r}; {', '.join(NAMES)}, or YYYY-MM-DD/YYYY-MM-DD")
    return period
