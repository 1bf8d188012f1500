"""What a reader is shown of one session: the words of the D-Bus contract, as plain values."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct


class State(StrEnum):
    """What a session wants from its user, the strings of ``org.ai.Monitor.Session.State``."""

    WAITING = "waiting"
    FAILED = "failed"
    COMPLETED = "completed"
    QUIET = "quiet"
    WORKING = "working"
    IDLE = "idle"


# Most urgent first; a panel shows the first one that any session is in.
URGENCY: Final = (State.WAITING, State.FAILED, State.COMPLETED, State.QUIET, State.WORKING, State.IDLE)


RANK: Final = {state: rank for rank, state in enumerate(URGENCY)}


class Basis(StrEnum):
    """How a sum of money is known. MIXED: reported and computed parts; PARTIAL: some calls have no price."""

    REPORTED = "reported"
    COMPUTED = "computed"
    MIXED = "mixed"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    NONE = "none"


class SessionSnapshot(Struct, frozen=True, kw_only=True):
    """One session as it is now. Field names are the D-Bus properties in snake_case, units and meanings as there:
    times are µs since the epoch with 0 = unknown, strings are "" when unknown, ``pid`` is 0 when unknown, ``parent`` is
    the parent session's id ("" = none). ``cost`` is None when no call had a price.
    """

    id: str
    agent: str
    title: str = ""
    agent_version: str = ""
    state: State = State.IDLE
    reason: str = ""
    state_since: int = 0
    evidence: str = ""
    confidence: str = ""
    model: str = ""
    project: str = ""
    directory: str = ""
    host: str = ""
    pid: int = 0
    terminal: str = ""
    parent: str = ""
    turns: int = 0
    turn_started: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    current_tool: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tool_prompt_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = None
    cost_basis: Basis = Basis.NONE
    errors: int = 0
    last_error: str = ""
    last_error_class: str = ""
    started_at: int = 0
    last_activity: int = 0
    can_focus: bool = False


def most_urgent(sessions: list[SessionSnapshot]) -> list[SessionSnapshot]:
    """The sessions by urgency of their state, the most recently active first among equals."""
    return sorted(sessions, key=lambda session: (RANK[session.state], -session.last_activity, session.id))
