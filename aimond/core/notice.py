"""What the user is told of a change: all wording of notifications, and what they are made of.

Plain text for any desktop: whoever shows it escapes what that desktop takes for markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core.change import AttentionNeeded, BudgetCrossed, Change, TurnCompleted
from aimond.core.snapshot import Basis, SessionSnapshot, State

NAME: Final = 40
LINE: Final = 200
LISTED: Final = 5
_SECOND: Final = 1_000_000

# A session's (agent, id), or a budget's ("", name).
Key = tuple[str, str]


class Kind(StrEnum):
    """Why a notification is shown; the words of ``kinds`` in the configuration."""

    WAITING = "waiting"
    FAILED = "failed"
    COMPLETED = "completed"
    QUIET = "quiet"
    BUDGET = "budget"


# The state in which a session has to stay for its notice to be true. (That of money spent is true for ever.)
STATE_OF: Final = {
    Kind.WAITING: State.WAITING,
    Kind.FAILED: State.FAILED,
    Kind.COMPLETED: State.COMPLETED,
    Kind.QUIET: State.QUIET,
}


class Notice(Struct, frozen=True, kw_only=True):
    """One text for the user. ``duration``: how long the turn took, µs, None where there was none or nobody knows."""

    kind: Kind
    key: Key
    summary: str
    body: str = ""
    line: str = ""
    session: SessionSnapshot | None = None
    duration: int | None = None


# The changes that can be worth telling.
NEWS: Final = frozenset({AttentionNeeded, TurnCompleted, BudgetCrossed})


def notice_of(change: Change, show_cost: bool = True) -> Notice | None:
    """What a change is worth telling, None for most. Of a completion that was only proved later, while the session
    went on or was looked at, the user knows."""
    match change:
        case AttentionNeeded(session=session) if session.state in _ATTENTION:
            kind, words = _ATTENTION[session.state]
            return _of_session(kind, session, *words(session, change.reason), _until_now(session))
        case TurnCompleted(session=session) if session.state is State.COMPLETED:
            did = _turn(change, show_cost)
            return _of_session(Kind.COMPLETED, session, "is done", did, change.duration or None)
        case BudgetCrossed():
            return _budget(change)
    return None


def _of_session(kind: Kind, session: SessionSnapshot, what: str, body: str, duration: int | None) -> Notice:
    return Notice(
        kind=kind,
        key=(session.agent, session.id),
        summary=f"{who(session)} {what}",
        body=body,
        line=" · ".join(filter(None, (who(session), spell(duration) if duration and kind is Kind.COMPLETED else ""))),
        session=session,
        duration=None if kind is Kind.WAITING else duration,
    )


def reworded(notice: Notice, session: SessionSnapshot) -> Notice:
    """The same notice where the session waits for something else by now, or its window has become known or unknown."""
    before = notice.session
    if notice.kind is not Kind.WAITING or not before:
        return notice
    if (before.reason, before.can_focus) == (session.reason, session.can_focus):
        return notice
    return replace(notice, body=_question(session.reason), session=session)


def with_line(notice: Notice, other: Notice) -> Notice:
    """Both in one: a session has one notification."""
    return replace(notice, body="\n".join(filter(None, (notice.body, f"{other.summary}: {other.body}"))))


def together(notices: Sequence[Notice]) -> Notice:
    """One notice for a burst of the same kind."""
    if len(notices) == 1:
        return notices[0]
    lines = [notice.line for notice in notices]
    if len(lines) > LISTED:
        lines[LISTED:] = [f"and {len(lines) - LISTED} more"]
    newest = notices[-1]
    return replace(newest, summary=f"{len(notices)} agents {_TOGETHER[newest.kind]}", body="\n".join(lines))


def who(session: SessionSnapshot) -> str:
    """The agent, and the project it works on."""
    agent, project = plain(session.title or session.agent, NAME), plain(session.project, NAME)
    return f"{agent or 'An agent'} in {project}" if project else agent or "An agent"


def plain(text: str, limit: int = LINE) -> str:
    """A stranger's text as one line of at most ``limit``: no control characters, no marks that turn its direction."""
    kept = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text[: 4 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def spell(duration: int) -> str:
    """A duration, µs, as people say it."""
    seconds = max(1, round(duration / _SECOND))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {seconds % 60} s" if seconds % 60 and minutes < 10 else f"{minutes} min"
    return f"{seconds} s"


def _until_now(session: SessionSnapshot) -> int | None:
    return max(0, session.state_since - session.turn_started) if session.turn_started else None


def _turn(change: TurnCompleted, show_cost: bool) -> str:
    """What is known of it, perhaps nothing: hooks come before the records that count."""
    parts = [f"after {spell(change.duration)}" if change.duration else ""]
    if change.input_tokens is not None and (tokens := change.input_tokens + (change.output_tokens or 0)):
        parts.append(f"{_count(tokens)} tokens")
    if show_cost and change.cost is not None:
        parts.append(f"{'at least ' if change.cost_basis is Basis.PARTIAL else ''}{_dollars(change.cost)}")
    return _sentence(" · ".join(filter(None, parts)))


def _waiting(session: SessionSnapshot, reason: str) -> tuple[str, str]:
    return "is waiting for you", _question(reason)


def _question(reason: str) -> str:
    kind, _, tool = reason.partition(":")
    tool = plain(tool, NAME)
    if kind == "question":
        return "It asks you a question"
    return f"It asks for permission to use {tool}" if tool else "It asks for permission" if kind == "permission" else ""


def _failed(session: SessionSnapshot, reason: str) -> tuple[str, str]:
    why = _ERRORS.get(reason) or _sentence(plain(reason.replace("_", " ")))
    said = plain(session.last_error)
    return "failed", ": ".join(dict.fromkeys(filter(None, (why, said))))


def _quiet(session: SessionSnapshot, reason: str) -> tuple[str, str]:
    return "has gone quiet", "Done, or waiting for you"


def _budget(change: BudgetCrossed) -> Notice:
    amount = _dollars if change.unit == "USD" else _tokens
    session, budget = change.session, plain(change.budget, NAME)
    share = f"{round(change.fraction * 100)} %"
    used = f"{amount(change.spent)} of {amount(change.limit)}"
    crossed = "is used up" if change.fraction >= 1 else f"is used by {share}"
    return Notice(
        kind=Kind.BUDGET,
        key=(session.agent, session.id) if session else ("", change.budget),
        summary=f"{who(session)}: the budget “{budget}” {crossed}" if session else f"The budget “{budget}” {crossed}",
        body=used,
        line=f"{budget}: {used}",
        session=session,
    )


def _dollars(amount: Decimal) -> str:
    return f"${amount:.2f}" if amount == 0 or amount >= Decimal("0.005") else "less than 1 ¢"


def _tokens(amount: Decimal) -> str:
    return f"{_count(int(amount))} tokens"


def _count(number: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.{0 if number >= 10 * size else 1}f}{unit}"
    return str(number)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_ERRORS: Final = {
    "auth": "Not logged in, or not allowed",
    "rate_limit": "Too many requests, or the quota is used up",
    "timeout": "No answer in time",
    "server": "The provider has trouble",
    "invalid": "The request was refused",
    "error": "A model call failed",
}
_ATTENTION: Final[dict[State, tuple[Kind, Callable[[SessionSnapshot, str], tuple[str, str]]]]] = {
    State.WAITING: (Kind.WAITING, _waiting),
    State.FAILED: (Kind.FAILED, _failed),
    State.QUIET: (Kind.QUIET, _quiet),
}
_TOGETHER: Final = {
    Kind.COMPLETED: "finished",
    Kind.FAILED: "failed",
    Kind.QUIET: "have gone quiet",
    Kind.BUDGET: "crossed a budget",
    Kind.WAITING: "are waiting for you",
}
