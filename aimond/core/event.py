"""What an agent did, in one vocabulary for all CLIs. Agents make these; the tracker is the only one to read them.

Every event says when it happened (``at``, µs since the epoch, by the CLI's word) and who says so (``source``,
``record``). ``key`` is what makes it the same event when it is delivered again; "" for events that may be applied any
number of times. ``pid`` is the process the session lives in, 0 when unknown."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal
from enum import StrEnum

from aimond.core.evidence import Source
from aimond.core.usage import NOTHING, Spent, Usage, of_call
from aimond.core.value import filled_in, named


class Outcome(StrEnum):
    """How a turn ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@named
class Event:
    agent: str
    session: str
    at: int
    source: Source
    record: str = ""
    key: str = ""
    pid: int = 0


@named
class SessionDetail(Event):
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


@named
class SessionEnded(Event):
    """The CLI said that this session is over: ``ended``, or ``replaced`` by another one (/clear)."""

    reason: str = "ended"


@named
class PromptSubmitted(Event):
    """A turn begins. ``synthetic``: nobody typed it, the agent woke itself up and goes on with the turn before.
    ``inferred``: that was told by its time alone. ``trace`` is the trace id when the CLI also sends spans. ``turn``
    is the CLI's own id of the turn."""

    turn: str = ""
    trace: str = ""
    synthetic: bool = False
    inferred: bool = False


@named
class ModelCallStarted(Event):
    """A request to a model is under way."""

    model: str = ""
    main: bool | None = True


@named
class ModelCallFinished(Event):
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
    _spent: Spent | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def spent(self) -> Spent:
        """What this one call used. It is kept: not to be asked for before the tracker has filled in what it knows."""
        if self._spent is None:
            filled_in(self, _spent=of_call(self.usage, self.cost, self.computed, self.estimated))
        return self._spent or NOTHING


@named
class ModelCallFailed(Event):
    """A request failed. ``final``: the CLI gave up; otherwise it may try again. ``aborted``: the user cut it, which
    is no error. ``error_class``: ``auth``, ``rate_limit``, ``timeout``, ``server``, ``invalid`` or ""."""

    model: str = ""
    main: bool | None = True
    error_class: str = ""
    message: str = ""
    final: bool = False
    aborted: bool = False


@named
class ToolStarted(Event):
    """A tool runs. ``call`` is its id, "" where the CLI gives none. ``asked``: whether its user let it, or a rule did;
    None where the CLI does not say."""

    call: str = ""
    name: str = ""
    asked: bool | None = None


@named
class ToolFinished(Event):
    """A tool ended, well or not, or was refused."""

    call: str = ""
    name: str = ""
    started: int = 0


@named
class WaitStarted(Event):
    """The agent stands still until its user answers: ``permission`` or ``question``. ``only``: where several tools
    run at once, the one whose records prove it over. ``by``: the sub-agent that asks, "" for the agent itself."""

    kind: str = "permission"
    tool: str = ""
    only: str = ""
    by: str = ""


@named
class QuestionAnswered(Event):
    """The user has answered a question about the tool ``name``, which the sub-agent ``by`` had asked."""

    name: str = ""
    by: str = ""


@named
class BackgroundStarted(Event):
    """A sub-agent works on its own; the turn is not done before it is."""

    task: str


@named
class BackgroundFinished(Event):
    """That sub-agent is done. ``wakes``: the agent will go on by itself to use the result."""

    task: str
    wakes: bool = False


@named
class TurnFinished(Event):
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


@named
class TurnGoesOn(Event):
    """Refutes the claim of that id: more work follows from it."""

    claim: str


@named
class TurnPriced(Event):
    """What a whole turn cost in USD, told when it is over. It began at ``began``, just before its prompt (µs)."""

    turn: str
    began: int
    cost: Decimal
    model: str = ""


@named
class UsageMeasured(Event):
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


@named
class UserActed(Event):
    """Somebody typed a prompt in process ``pid``, whose session runs elsewhere (Codex's shared daemon)."""


@named
class ProcessStarted(Event):
    """A process is there, working in ``directory`` and shown on ``terminal``. More of it may be told later."""

    directory: str = ""
    terminal: str = ""


@named
class ProcessExited(Event):
    """A process is gone, however it went: a pidfd does not tell."""
