"""What an agent did, in one vocabulary for all CLIs. Agents make these; the tracker is the only one to read them.

Every event says when it happened (``at``, µs since the epoch, by the CLI's word) and who says so (``source``,
``record``). ``key`` is what makes it the same event when it is delivered again; "" for events that may be applied any
number of times. ``pid`` is the process the session lives in, 0 when unknown."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from aimond.core.evidence import Source
from aimond.core.usage import Spent, Usage, of_call


class Outcome(StrEnum):
    """How a turn ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Event(Struct, frozen=True, kw_only=True):
    agent: str
    session: str
    at: int
    source: Source
    record: str = ""
    key: str = ""
    pid: int = 0


class SessionDetail(Event, frozen=True, kw_only=True):
    """Something about the session itself; "" and None mean: not said here.

    ``asks``: whether the agent can ask for permission (a False comes from ``-p``, ``exec``, "never"). ``main_model``:
    the model that does the work, where calls themselves do not tell it from helpers. ``hidden``: nobody's session
    (Codex title threads). ``shows``: enough to show the session. ``title``: the agent's name for people."""

    model: str = ""
    main_model: str = ""
    version: str = ""
    directory: str = ""
    host: str = ""
    terminal: str = ""
    title: str = ""
    parent: str = ""
    asks: bool | None = None
    hidden: bool = False
    shows: bool = False


class SessionEnded(Event, frozen=True, kw_only=True):
    """The CLI said that this session is over: ``ended``, or ``replaced`` by another one (/clear)."""

    reason: str = "ended"


class PromptSubmitted(Event, frozen=True, kw_only=True):
    """A turn begins. ``synthetic``: nobody typed it, the agent woke itself up and goes on with the turn before.
    ``inferred``: that was told by its time alone. ``trace`` is the trace id when the CLI also sends spans. ``turn``
    is the CLI's own id of the turn, ``teller`` the process that told of it, also where it serves many sessions."""

    turn: str = ""
    trace: str = ""
    teller: int = 0
    synthetic: bool = False
    inferred: bool = False


class ModelCallStarted(Event, frozen=True, kw_only=True):
    """A request to a model is under way."""

    model: str = ""
    main: bool | None = True


class ModelCallFinished(Event, frozen=True, kw_only=True):
    """A model answered. ``started``: when the request began, 0 when not said. ``main``: False for helpers (routers,
    titles, sub-agents), None where the CLI does not say. ``ends``: True if it gave the floor back, False if it asked
    for a tool, None where the CLI does not say. ``usage``: to be counted, None where that is done elsewhere.
    ``told``: the same, known ahead of the record that counts. ``asks``: as of ``SessionDetail``.

    ``cost``: in USD, by the CLI's word. ``provider``: who is paid, in genai-prices' names; ``fast``: for its faster
    and dearer mode. ``computed``: what a price table says of it, None when that knows no price, ``estimated`` when it
    only guesses; the tracker has that filled in."""

    model: str = ""
    started: int = 0
    main: bool | None = True
    ends: bool | None = None
    usage: Usage | None = None
    told: Usage | None = None
    cost: Decimal | None = None
    asks: bool | None = None
    provider: str = ""
    fast: bool = False
    computed: Decimal | None = None
    estimated: bool = False

    @property
    def spent(self) -> Spent:
        """What this one call used."""
        return of_call(self.usage, self.cost, self.computed, self.estimated)


class ModelCallFailed(Event, frozen=True, kw_only=True):
    """A request failed. ``final``: the CLI gave up; otherwise it may try again. ``aborted``: the user cut it, which
    is no error. ``error_class``: ``auth``, ``rate_limit``, ``timeout``, ``server``, ``invalid`` or ""."""

    model: str = ""
    main: bool | None = True
    error_class: str = ""
    message: str = ""
    final: bool = False
    aborted: bool = False


class ToolStarted(Event, frozen=True, kw_only=True):
    """A tool runs. ``call`` is its id, "" where the CLI gives none. ``asked``: whether its user let it, or a rule did;
    None where the CLI does not say."""

    call: str = ""
    name: str = ""
    asked: bool | None = None


class ToolFinished(Event, frozen=True, kw_only=True):
    """A tool ended, well or not, or was refused."""

    call: str = ""
    name: str = ""
    started: int = 0


class WaitStarted(Event, frozen=True, kw_only=True):
    """The agent stands still until its user answers: ``permission`` or ``question``. ``only``: where several tools
    run at once, the one whose records prove it over. ``by``: the sub-agent that asks, "" for the agent itself."""

    kind: str = "permission"
    tool: str = ""
    only: str = ""
    by: str = ""


class QuestionAnswered(Event, frozen=True, kw_only=True):
    """The user has answered a question about the tool ``name``, which the sub-agent ``by`` had asked."""

    name: str = ""
    by: str = ""


class BackgroundStarted(Event, frozen=True, kw_only=True):
    """A sub-agent works on its own; the turn is not done before it is."""

    task: str


class BackgroundFinished(Event, frozen=True, kw_only=True):
    """That sub-agent is done. ``wakes``: the agent will go on by itself to use the result."""

    task: str
    wakes: bool = False


class TurnFinished(Event, frozen=True, kw_only=True):
    """Somebody says that the turn is over. ``outcome`` None: the other facts tell how. ``started``: when that turn
    began, 0 when not said. ``weak``: work that starts later in the same turn refutes it. ``claim``: an id to refute
    it by."""

    outcome: Outcome | None = None
    error_class: str = ""
    turn: str = ""
    started: int = 0
    weak: bool = False
    claim: str = ""
    told: Usage | None = None


class TurnGoesOn(Event, frozen=True, kw_only=True):
    """Refutes the claim of that id: more work follows from it."""

    claim: str


class TurnPriced(Event, frozen=True, kw_only=True):
    """What a whole turn cost in USD, told when it is over. It began at ``began``, just before its prompt (µs)."""

    turn: str
    began: int
    cost: Decimal
    model: str = ""


class UsageMeasured(Event, frozen=True, kw_only=True):
    """A point of a metric: how much of that ``kind`` (a field of Usage, or ``cost``) was used, whether or not anything
    else tells of it. ``series`` names the counter; the point counts from ``began``, or, where ``cumulative``, replaces
    the one before with the same."""

    model: str
    kind: str
    amount: Decimal
    provider: str = ""
    series: str = ""
    began: int = 0
    cumulative: bool = False


class UserActed(Event, frozen=True, kw_only=True):
    """Somebody typed a prompt in process ``pid``, whose session runs elsewhere (Codex's shared daemon)."""


class ProcessStarted(Event, frozen=True, kw_only=True):
    """A process is there, working in ``directory`` and shown on ``terminal``. More of it may be told later."""

    directory: str = ""
    terminal: str = ""


class ProcessExited(Event, frozen=True, kw_only=True):
    """A process is gone, however it went: a pidfd does not tell."""
