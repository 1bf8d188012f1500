"""Times written as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(text: str) -> int:
    """µs since the epoch of an ISO 8601 time, 0 when the text is none. A time without an offset is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0, (aware - _EPOCH) // timedelta(microseconds=1))
    except (ValueError, OverflowError):
        return 0
