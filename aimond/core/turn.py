"""One turn: from the user's prompt until the agent gives the floor back. Facts are collected; nothing here is a state.

Facts are sets, maxima and minima over ``at``, so that the order in which they arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.snapshot import State
from aimond.core.usage import NOTHING, total
from aimond.core.wait import Questions

MS: Final = 1_000
SECOND: Final = 1_000_000

# Clocks of one machine, but durations are rounded to ms and records are stamped a little after the fact.
SLACK: Final = 100 * MS
REMEMBERED: Final = 512
# One prompt is told by hook and by log; the hook's own time is its arrival.
SAME_PROMPT: Final = 2 * SECOND


class Rest(Struct, frozen=True):
    """Silence spoke at ``since``, of the last work of ``at``, ``after`` having lasted that long.

    It stands until there is newer work: another word does not take it back.
    """

    since: int
    at: int
    after: str


class Turn:
    """The facts of one turn. ``started`` 0 is what came before the first known prompt."""

    def __init__(self, started: int = 0) -> None:
        self.started = started
        self.resumed = started
        self.events: list[ev.Event] = []
        self.spent = NOTHING
        self.version = self.reviewed = 0
        self.announced = False
        self.acknowledged: State | None = None
        self.rested: Rest | None = None
        self.wakings: list[tuple[int, set[Source]]] = []
        self.forget()

    def forget(self) -> None:
        """Drop the facts, to collect them anew from ``events``."""
        self.prompts: dict[Source, str] = {}
        self.traced = False
        self.call_started = 0
        self.answers: list[ev.ModelCallFinished] = []
        self.failure: ev.ModelCallFailed | None = None
        self.tool_started = 0
        self.tool_ended = 0
        self.open_tools: dict[str, ev.ToolStarted] = {}
        self.closed_tools: dict[str, None] = {}  # three times no set, which takes 216 bytes while empty
        self.unnamed_tools = 0
        self.claims: list[ev.TurnFinished] = []
        self.refuted: dict[str, None] = {}
        self.background: dict[str, int] = {}
        self.wake_ups: dict[int, None] = {}
        self.questions = Questions()
        self.last_at = 0

    # -- collecting ---------------------------------------------------------------------------------

    def add(self, event: ev.Event) -> None:
        """Take a fact in. The same one again is harmless, except for calls: the session drops those."""
        if len(self.events) > 2 * REMEMBERED:
            asked = self.questions.asked = self.questions.open(self.events)
            kept = [event for event in self.events if not isinstance(event, ev.WaitStarted) or event in asked]
            work = [event for event in kept if not isinstance(event, _ANCHORS)][-REMEMBERED:]
            anchors = [event for event in kept if isinstance(event, _ANCHORS)][-REMEMBERED:]
            self.events = sorted(anchors + work, key=lambda event: event.at)
        self.events.append(event)
        if isinstance(event, ev.ModelCallFinished):
            self.spent += event.spent
        self._collect(event)

    def _collect(self, event: ev.Event) -> None:
        self.version += 1
        self.last_at = max(self.last_at, event.at)
        collect = _COLLECT.get(type(event))
        if collect:
            collect(self, event)

    def _prompt(self, event: ev.PromptSubmitted) -> None:
        self.traced = self.traced or bool(event.trace)
        if event.synthetic:
            self.resumed = max(self.resumed, event.at)
        else:
            self.prompts[event.source] = event.turn or self.prompts.get(event.source, "")

    def _call(self, event: ev.ModelCallStarted) -> None:
        if event.main is not False:
            self.call_started = max(self.call_started, event.at)

    def _failed(self, event: ev.ModelCallFailed) -> None:
        newest = self.failure
        if event.main is not False and (newest is None or (event.at, event.final) >= (newest.at, newest.final)):
            self.failure = event

    def _claim(self, event: ev.TurnFinished) -> None:
        if event not in self.claims:
            self.claims = [*self.claims[-63:], event]

    def _refuted(self, event: ev.TurnGoesOn) -> None:
        if len(self.refuted) < 8 * REMEMBERED:
            self.refuted[event.claim] = None

    def _background(self, event: ev.BackgroundStarted) -> None:
        if len(self.background) < REMEMBERED:
            self.background.setdefault(event.task, 0)

    def _background_over(self, event: ev.BackgroundFinished) -> None:
        if event.task in self.background or len(self.background) < REMEMBERED:
            self.background[event.task] = event.at
        if event.wakes and len(self.wake_ups) < REMEMBERED:
            self.wake_ups[event.at] = None

    def _asked(self, event: ev.WaitStarted) -> None:
        self.questions.ask(event)

    def _answer(self, event: ev.ModelCallFinished) -> None:
        if event.main is not False:
            self.answers.append(event)
            if len(self.answers) > 1 and event.at < self.answers[-2].at:
                self.answers.sort(key=lambda answer: answer.at)
            del self.answers[:-8]

    def _tool(self, event: ev.ToolStarted | ev.ToolFinished) -> None:
        ended = isinstance(event, ev.ToolFinished)
        began = event.started if isinstance(event, ev.ToolFinished) else event.at
        self.tool_started = max(self.tool_started, began)
        if ended:
            self.tool_ended = max(self.tool_ended, event.at)
        if not event.call:
            self.unnamed_tools += -1 if ended else 1
        elif ended:
            self.closed_tools[event.call] = None
            self.open_tools.pop(event.call, None)
        elif isinstance(event, ev.ToolStarted) and event.call not in self.closed_tools:
            self.open_tools[event.call] = event

    @property
    def wait(self) -> ev.WaitStarted | None:
        """The newest question that is still open."""
        return self.questions.weighed(self.events, self.version).open

    @property
    def answered(self) -> ev.Event | None:
        """What proved the last answer to a question."""
        return self.questions.weighed(self.events, self.version).proof

    # -- going on by itself --------------------------------------------------------------------------

    def wakes(self, prompt: ev.PromptSubmitted) -> bool:
        """Whether the agent gave itself that prompt: it comes right after a background sub-agent's end, or after the
        answer that was still under way then. Redacted prompts do not tell (Claude Code 2.1.330: 45 ms)."""
        ready = max((at for at in self.wake_ups if at <= prompt.at), default=0)
        if not self.started or not ready or prompt.source is not Source.LOG:
            return False
        busy = max((answer.at for answer in self.answers if answer.at <= prompt.at), default=0)
        return prompt.at - max(ready, busy) <= SECOND

    def resume(self, prompt: ev.PromptSubmitted) -> None:
        """Go on with that prompt, of which hook and log may both tell; what comes of it is news again."""
        for at, sources in self.wakings:
            if abs(at - prompt.at) <= SAME_PROMPT and prompt.source not in sources:
                sources.add(prompt.source)
                break
        else:
            self.wakings = [*self.wakings[-15:], (prompt.at, {prompt.source})]
            self.announced, self.acknowledged = False, None
        self.add(prompt if prompt.synthetic else replace(prompt, synthetic=True, inferred=True))

    # -- what is still open --------------------------------------------------------------------------

    @property
    def busy_background(self) -> bool:
        """A sub-agent of this turn has not reported back."""
        return any(not ended for ended in self.background.values())

    @property
    def current_tool(self) -> str:
        """The name of the tool that began last and still runs."""
        newest = max(self.open_tools.values(), key=lambda tool: tool.at, default=None)
        return newest.name if newest else ""

    def typed(self) -> list[ev.PromptSubmitted]:
        """The prompts that began it."""
        return [event for event in self.events if isinstance(event, ev.PromptSubmitted) and not event.synthetic]

    def not_woken(self) -> list[ev.PromptSubmitted]:
        """Give up the prompts that the agent did not give itself after all."""
        told = [event for event in self.events if isinstance(event, ev.PromptSubmitted) and event.inferred]
        wrong = [prompt for prompt in told if not self.wakes(prompt)]
        if wrong:
            self.events = [event for event in self.events if event not in wrong]
            self.recollect()
        return [replace(prompt, synthetic=False, inferred=False) for prompt in wrong]

    def move_to(self, other: Turn, at: int) -> None:
        """Hand over the facts from ``at`` on: they belong to a turn that became known only now."""
        moved = [event for event in self.events if event.at >= at] if self.last_at >= at else []
        if not moved and not other.events:
            self.version += 1  # it is not the newest any more, which is news too
            return
        self.events = [event for event in self.events if event.at < at]
        other.events = sorted([*other.events, *moved], key=lambda event: event.at)
        spent = total(event.spent for event in moved if isinstance(event, ev.ModelCallFinished))
        self.spent, other.spent = self.spent - spent, other.spent + spent
        self.recollect()
        other.recollect()

    def recollect(self) -> None:
        """Collect the facts anew."""
        self.forget()
        self.resumed = self.started
        for event in self.events:
            self._collect(event)


# What a turn is made of; all else is work, of which only the newest has to be remembered.
_ANCHORS: Final = (
    ev.PromptSubmitted | ev.TurnFinished | ev.TurnGoesOn | ev.BackgroundStarted | ev.BackgroundFinished | ev.WaitStarted
)
_COLLECT: Final[dict[type[ev.Event], Callable[[Turn, Any], None]]] = {
    ev.PromptSubmitted: Turn._prompt,
    ev.ModelCallStarted: Turn._call,
    ev.ModelCallFinished: Turn._answer,
    ev.ModelCallFailed: Turn._failed,
    ev.ToolStarted: Turn._tool,
    ev.ToolFinished: Turn._tool,
    ev.TurnFinished: Turn._claim,
    ev.TurnGoesOn: Turn._refuted,
    ev.BackgroundStarted: Turn._background,
    ev.BackgroundFinished: Turn._background_over,
    ev.WaitStarted: Turn._asked,
}
