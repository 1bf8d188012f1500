"""What became different by applying events: the one thing outputs (bus, notifications, history) are told."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from aimond.core.evidence import Reason
from aimond.core.snapshot import Basis, SessionSnapshot, State

__all__ = ["Reason"]  # readers of changes want it beside them


class Change(Struct, frozen=True):
    """Something is different now."""


class SessionChange(Change, frozen=True):
    """Of one session: ``session`` is the session as it is after the change."""

    session: SessionSnapshot


class SessionAdded(SessionChange, frozen=True):
    """A session became visible."""


class SessionRemoved(SessionChange, frozen=True):
    """A session is gone: ``exited``, ``ended`` (the CLI said so), ``expired``, ``evicted`` or ``replaced`` (/clear)."""

    reason: str


class StateChanged(SessionChange, frozen=True):
    """The derived state is another one than before; why stands in the session's reason, evidence and confidence."""

    old: State


class TurnCompleted(SessionChange, frozen=True):
    """A turn is over and did what was asked; once per turn. Duration in µs; tokens and cost are those of the turn.
    ``input_tokens`` is the whole input, cache reads and writes included; tokens are None when the records that count
    them are still to come (a hook goes ahead of them), ``cost`` also when no call had a price."""

    turn: int
    duration: int
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    cost_basis: Basis
    evidence: str
    confidence: str


class AttentionNeeded(SessionChange, frozen=True):
    """The user is needed: once per wait, failure or quiet."""

    reason: str


class ErrorSeen(SessionChange, frozen=True):
    """A model call failed; whether the turn did is told by its state."""

    error_class: str


class DetailsChanged(SessionChange, frozen=True):
    """Anything else a reader sees: counters, model, directory."""


class BudgetCrossed(Change, frozen=True):
    """The spending crossed a threshold (``fraction`` of ``limit``) of a budget, that of one ``session`` or of all; once
    for each threshold and period. ``unit``: ``USD`` or ``tokens``."""

    session: SessionSnapshot | None
    budget: str
    spent: Decimal
    limit: Decimal
    fraction: float
    unit: str


class Totals(Struct, frozen=True):
    """What all sessions used, for panels. Money in USD, None when nothing had a price; days and months are local."""

    cost_today: Decimal | None
    cost_today_basis: Basis
    cost_month: Decimal | None
    tokens_today: int


class Health(Struct, frozen=True):
    """Whether an agent's telemetry arrives: state ``ok``, ``silent`` or ``never``; last record and hook in µs since the
    epoch."""

    state: str
    last_record: int
    records: int
    unknown_events: int
    hint: str
    hooks: int = 0
    last_hook: int = 0
