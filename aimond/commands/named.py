"""Which session a user means."""

from __future__ import annotations

from typing import Any


def named(sessions: list[dict[str, Any]], wanted: str) -> dict[str, Any] | None:
    """The first session, and so the most urgent one, whose id begins so or whose agent it is; any, for ""."""
    exact = (session for session in sessions if session["Id"] == wanted)
    alike = (session for session in sessions if session["Id"].startswith(wanted) or session["Agent"] == wanted)
    return next(exact, None) or next(alike, None)
