"""What history keeps: rows of plain values. Times are µs since the epoch."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from aimond.core.snapshot import Basis
from aimond.core.usage import Spent, Usage

Key = tuple[str, str]


class CallRow(Struct, frozen=True, kw_only=True):
    """One model call that was counted. A later row of the same agent, session and key takes its place. ``requests`` is
    0 for what corrects the sums and was no call of its own. ``cost``: USD, None when the call has no price;
    ``computed``: what the price table says beside it, ``estimated`` where that only guesses."""

    agent: str
    session: str
    key: str
    at: int
    model: str
    provider: str = ""
    requests: int = 1
    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = None
    basis: Basis = Basis.UNKNOWN
    computed: Decimal | None = None
    estimated: bool = False

    @property
    def spent(self) -> Spent:
        """What it adds to the sums."""
        count = self.requests
        return Spent(
            requests=count,
            usage=self.usage,
            cost=self.cost or Decimal(0),
            reported=count if self.basis is Basis.REPORTED else 0,
            computed=count if self.basis is Basis.COMPUTED else 0,
            estimated=count if self.estimated and self.basis is Basis.COMPUTED else 0,
            table=self.computed or Decimal(0),
            tabled=count if self.computed is not None else 0,
            cut=int(not count and bool(self.usage)),
        )


class CountedRow(Struct, frozen=True):
    """Something else that is counted once: a prompt, a tool call, a failed model call."""

    agent: str
    session: str
    key: str
    at: int


class TurnRow(Struct, frozen=True, kw_only=True):
    """One turn, by its number in its session. ``ended`` is 0 and ``outcome`` "" while it is under way."""

    agent: str
    session: str
    number: int
    started: int
    ended: int = 0
    outcome: str = ""
    source: str = ""
    announced: bool = False
    acknowledged: str = ""
    spent: Spent = field(default_factory=Spent)


class SessionRow(Struct, frozen=True, kw_only=True):
    """One session as it is now; the newest row stands for it. ``serves``: whose hidden thread it is. ``asks``: whether
    it may ask its user, -1 where nothing has told. ``pid_start`` tells its process from a later one of that pid.
    ``intact``: the monitor stopped in good order, and nothing was heard of the session afterwards."""

    agent: str
    id: str
    serves: str = ""
    parent: str = ""
    title: str = ""
    version: str = ""
    model: str = ""
    main_model: str = ""
    project: str = ""
    directory: str = ""
    host: str = ""
    terminal: str = ""
    pid: int = 0
    pid_start: int = 0
    hidden: bool = False
    shown: bool = False
    hooked: bool = False
    asks: int = -1
    state: str = ""
    reason: str = ""
    state_since: int = 0
    evidence: str = ""
    confidence: str = ""
    turns: int = 0
    tool_calls: int = 0
    errors: int = 0
    last_error_at: int = 0
    last_error_class: str = ""
    last_error: str = ""
    started_at: int = 0
    last_at: int = 0
    last_seen: int = 0
    ended_at: int = 0
    end_reason: str = ""
    intact: bool = False


class CrossedRow(Struct, frozen=True):
    """A threshold of a budget that was told: of the agent, project or model ``of``, in that period, in percent."""

    budget: str
    of: str
    period: str
    threshold: int


class Rows(Struct, frozen=True, kw_only=True):
    """All that is new since the last ones. Sessions come first, as the others belong to them."""

    sessions: list[SessionRow] = field(default_factory=list)
    turns: list[TurnRow] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)
    counted: list[CountedRow] = field(default_factory=list)
    crossed: list[CrossedRow] = field(default_factory=list)


class UsageRow(Struct, frozen=True, kw_only=True):
    """What one day, agent, model, project or session used. ``key``: which; a day as 2026-11-26, "" where it is not
    known. ``agent`` and ``project`` are those of a session, else ""."""

    key: str
    agent: str = ""
    project: str = ""
    spent: Spent = field(default_factory=Spent)


class Past(Struct, frozen=True, kw_only=True):
    """What is remembered of one session: its row, its newest turns (oldest first), what it used by model, the keys of
    all that was counted, and of its calls the newest and all corrections (``requests`` 0)."""

    session: SessionRow
    turns: list[TurnRow] = field(default_factory=list)
    models: dict[str, Spent] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)
