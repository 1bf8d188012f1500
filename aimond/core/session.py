"""One session: its details, its turns and what it used. Facts only; ``state.py`` says what they amount to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from aimond.core import event as ev
from aimond.core.asks import Asks
from aimond.core.books import Books
from aimond.core.evidence import Reasons, Source
from aimond.core.keys import KEPT, Keys
from aimond.core.snapshot import SessionSnapshot, State
from aimond.core.state import Patience
from aimond.core.turn import SAME_PROMPT, Turn
from aimond.core.usage import Spent, total
from aimond.core.verdict import Resumed, Verdict

TURNS_KEPT: Final = 6


class Session:
    """The facts of one session. Identity is (agent, id) and nothing else; the rest are attributes."""

    def __init__(self, agent: str, session_id: str, patience: Patience) -> None:
        self.agent, self.id, self.patience = agent, session_id, patience
        self.prologue = Turn()
        self.turns: list[Turn] = []
        self.details: dict[str, tuple[int, str]] = {}
        self.asks, self.books = Asks(), Books()
        self.hidden = self.shown = self.hooked = self.visible = self.can_focus = False
        self.told_parent = self.traced_parent = self.filed = ""
        self.prompts: list[int] = []
        self.models: dict[str, Spent] = {}
        self.tools: set[str] = set()
        self.tool_calls = self.errors = 0
        self.last_error = (0, "", "")
        self.started_at = self.last_at = self.last_seen = self.logged_at = 0
        self.ended_at = self.leaves = self.back_at = self.pid = self.teller = self.turn_count = 0
        self.end_reason = self.farewell = ""
        self.seen: SessionSnapshot | None = None
        self.reasons = Reasons()
        self.called_for: list[int] = []
        self.verdict, self.keys = Verdict(State.IDLE), Keys()
        self.resumed: Resumed | None = None
        self.noted: dict[int, tuple[Any, ...]] = {}

    # -- collecting ---------------------------------------------------------------------------------

    def add(self, event: ev.Event, seen: int) -> ev.Event | None:
        """Take an event in: as what, or None if it was known already."""
        if event.key and not self.keys.add(event.key):
            return None
        again, at = self.keys.counted(event.key), event.at
        if again and isinstance(event, ev.ModelCallFinished):
            event = replace(event, usage=None, told=event.usage)
        elif self.resumed and isinstance(event, ev.PromptSubmitted) and self._is_old(event):
            return None
        self.last_seen, self.last_at = max(self.last_seen, seen), max(self.last_at, at)
        if event.source is Source.LOG:
            self.logged_at = max(self.logged_at, at)
        self.started_at = min(self.started_at or at, at or self.started_at)
        self._collect(event, again)
        return event

    def _collect(self, event: ev.Event, again: bool) -> None:
        kind = type(event)
        if event.source is Source.HOOK:
            self.hooked = True
        elif self.hooked and kind is ev.WaitStarted:
            return  # hooks tell of questions themselves; the logs' word comes late, and once more
        count = _COUNT.get(kind)
        if count and not (again and kind in _COUNTED_ONCE):
            count(self, event)
        if kind in _NO_FACTS:
            return
        self.shown = self.shown or kind in _SHOWING
        turn = self.turn_at(event.at)
        turn.add(event)
        if turn.wake_ups:
            self._rejoin(turn)

    def _count_failure(self, event: ev.ModelCallFailed) -> None:
        if not event.aborted:
            self.errors += 1
            self.last_error = max(self.last_error, (event.at, event.error_class, event.message))
            if event.main is not False:
                self.say("model", event.model, event.at)

    def _detail(self, event: ev.SessionDetail) -> None:
        for name in ("model", "main_model", "version", "directory", "host", "terminal", "title"):
            if value := getattr(event, name):
                self.say(name, value, event.at)
        if event.parent != self.id:
            self.told_parent = event.parent or self.told_parent
        self.asks.note(event.at, event.asks)
        self.hidden, self.shown = self.hidden or event.hidden, self.shown or event.shows

    def say(self, name: str, value: str, at: int) -> None:
        """Keep the newest word on an attribute."""
        if value and (name not in self.details or at >= self.details[name][0]):
            self.details[name] = (at, value)

    def detail(self, name: str) -> str:
        return self.details.get(name, (0, ""))[1]

    def _count(self, event: ev.ModelCallFinished) -> None:
        self.asks.note(event.at, event.asks)
        if event.usage is None:
            return
        self.book(event.model, event.spent)
        if event.main is not False:
            self.say("model", event.model, event.at)

    def book(self, model: str, spent: Spent) -> None:
        """Count it under that model."""
        self.models[model] = self.models[model] + spent if model in self.models else spent

    @property
    def spent(self) -> Spent:
        """What all of its models used."""
        return total(self.models.values())

    def _count_tool(self, event: ev.ToolStarted | ev.ToolFinished) -> None:
        if event.source is not Source.LOG:
            return
        if event.call and event.call not in self.tools:
            self.tools.add(event.call)
            self.tool_calls += 1
        elif not event.call and isinstance(event, ev.ToolFinished):
            self.tool_calls += 1
        if len(self.tools) > KEPT:
            self.tools.clear()

    # -- turns --------------------------------------------------------------------------------------

    def turn_at(self, at: int) -> Turn:
        """The turn that a fact of that time belongs to."""
        if self.turns and at >= self.turns[-1].started:
            return self.turns[-1]
        index = bisect_right(self.turns, at, key=lambda turn: turn.started)
        return self.turns[index - 1] if index else self.prologue

    @property
    def newest(self) -> Turn:
        return self.turns[-1] if self.turns else self.prologue

    def _prompt(self, event: ev.PromptSubmitted) -> None:
        self.shown = True
        self.prompts, self.teller = [*self.prompts[-63:], event.at], event.teller or self.teller
        before = self.turn_at(event.at)
        if event.synthetic or before.wakes(event):
            before.resume(event)
            return
        turn = self._same_prompt(event) or self._new_turn(event.at)
        if event.at < turn.started:
            self._begin(turn, event.at)
        turn.add(event)
        self._rejoin(turn)

    def _rejoin(self, turn: Turn) -> None:
        """Take back the turn after this one, if the sub-agent that woke the agent for it became known only now."""
        if not turn.wake_ups or turn is self.newest:
            return
        after = next((later for later in self.turns if later.started > turn.started), None)
        prompts = after.typed() if after else []
        if after and prompts and all(turn.wakes(prompt) for prompt in prompts):
            self.turns.remove(after)
            self.turn_count -= 1
            after.events = [event for event in after.events if event not in prompts]
            after.move_to(turn, 0)
            for prompt in prompts:
                turn.resume(prompt)

    def _is_old(self, event: ev.PromptSubmitted) -> bool:
        """It began a turn of which no more is remembered than that there was one."""
        return self.turn_count > len(self.turns) and event.at < self.turns[0].started - SAME_PROMPT

    def _same_prompt(self, event: ev.PromptSubmitted) -> Turn | None:
        """The turn that another source told of already."""
        for turn in reversed(self.turns):
            if event.turn and event.turn in turn.prompts.values():
                return turn
        near = [t for t in self.turns if abs(t.started - event.at) <= SAME_PROMPT and event.source not in t.prompts]
        return min(near, key=lambda turn: abs(turn.started - event.at), default=None)

    def _new_turn(self, at: int) -> Turn:
        turn = Turn(at)
        self.turn_count += 1
        index = bisect_right(self.turns, at, key=lambda turn: turn.started)
        self.turns.insert(index, turn)
        self._begin(turn, at)
        if len(self.turns) > TURNS_KEPT:
            self.turns.pop(0)
            self.prologue = Turn()
        return turn

    def _begin(self, turn: Turn, at: int) -> None:
        """Let a turn begin at ``at``, with the facts that until now stood under the turn before."""
        before = self.turns[self.turns.index(turn) - 1] if self.turns[0] is not turn else self.prologue
        turn.started = at
        before.move_to(turn, at)
        for prompt in turn.not_woken():
            self._prompt(prompt)

    # -- for the state ------------------------------------------------------------------------------

    @property
    def parent(self) -> str:
        """Whose sub-agent it is, "" if nobody's; what the CLI says goes before what traces suggest."""
        return self.told_parent or self.traced_parent

    @property
    def may_ask(self) -> bool | None:
        """Whether the agent can stop to ask its user now; None where nothing has told."""
        return self.asks.at(self.last_at)

    @property
    def main_model(self) -> str:
        return self.detail("main_model")

    def end(self, at: int, reason: str) -> None:
        """It is over, as its farewell said if there was one; what comes late still counts."""
        if not self.ended_at:
            self.ended_at, self.end_reason = at, self.farewell or reason

    def revive(self, at: int) -> None:
        """It is back under the same id."""
        self.ended_at, self.end_reason, self.pid = 0, "", 0
        self.farewell, self.leaves, self.back_at = "", 0, at


# No facts of a turn; a prompt is taken in by the turn that it begins.
_NO_FACTS: Final = frozenset({ev.SessionDetail, ev.SessionEnded, ev.PromptSubmitted})
_COUNTED_ONCE: Final = frozenset({ev.ModelCallFailed, ev.ToolStarted, ev.ToolFinished})
_SHOWING: Final = frozenset(
    {ev.ModelCallStarted, ev.ModelCallFinished, ev.ModelCallFailed, ev.ToolStarted, ev.ToolFinished, ev.WaitStarted}
)
_COUNT: Final[dict[type[ev.Event], Callable[[Session, Any], None]]] = {
    ev.SessionDetail: Session._detail,
    ev.PromptSubmitted: Session._prompt,
    ev.ModelCallFinished: Session._count,
    ev.ModelCallFailed: Session._count_failure,
    ev.ToolStarted: Session._count_tool,
    ev.ToolFinished: Session._count_tool,
}
