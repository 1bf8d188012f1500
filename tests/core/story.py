"""Stories for the tracker: what happened, when it was heard of, what readers were told. Times in seconds."""

from __future__ import annotations

from typing import Any

from aimond.core import change as ch
from aimond.core import event as ev
from aimond.core.change import Change
from aimond.core.evidence import Source
from aimond.core.journal import Journal
from aimond.core.snapshot import SessionSnapshot
from aimond.core.state import Patience
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.core.usage import Usage

AGENT = "cli"
ID = "s"
EPOCH = 1_790_000_000
HOOK, SPAN, LOG = Source.HOOK, Source.SPAN, Source.LOG
COMPLETED, INTERRUPTED, FAILED = ev.Outcome.COMPLETED, ev.Outcome.INTERRUPTED, ev.Outcome.FAILED

# Said here, so that a story does not change with a default.
PATIENCE = {"settle": 7, "unsure": 60, "traced": 12, "unattended": 10, "failure": 75, "wake": 8, "hold": 900}


def us(t: float) -> int:
    """Seconds of a story as µs since the epoch."""
    return round((EPOCH + t) * SECOND)


class Story:
    """A tracker whose clock is told. What readers hear is a list of words, see ``_word``."""

    def __init__(self, *, expire: int = 3600, visible: int = 256, rules: dict[str, Any] | None = None, **wait: Any):
        seconds = {name: time and time * SECOND for name, time in {**PATIENCE, **wait}.items()}
        patience = Patience(**seconds, **(rules or {}))
        self.journal = Journal()
        self.tracker = Tracker({AGENT: patience}, expire * SECOND, visible, journal=self.journal)
        self.told: list[Change] = []

    def hear(self, seen: float, *events: ev.Event) -> list[str]:
        """One request arrives; what readers are told of it."""
        self.wait(seen)
        return self.tell(self.tracker.apply(events, us(seen)))

    def wait(self, until: float) -> list[str]:
        """Nothing arrives; what readers are told meanwhile."""
        words: list[str] = []
        while (deadline := self.tracker.deadline()) is not None and deadline <= us(until):
            words += self.tell(self.tracker.tick(deadline))
        return words

    def acknowledge(self, t: float, session: str = ID) -> list[str]:
        """The user has seen it."""
        found = self.tracker.find(session)
        assert found is not None
        return self.tell(self.tracker.acknowledge(found, us(t)))

    def tell(self, changes: list[Change]) -> list[str]:
        self.told += changes
        return [word for change in changes if (word := _word(change))]

    def now(self, session: str = ID) -> SessionSnapshot:
        """The session as it is shown."""
        return next(shown for shown in self.tracker.snapshots() if shown.id == session)

    def state(self, session: str = ID) -> str:
        """Its state and why: ``waiting permission:Bash``."""
        shown = self.now(session)
        return f"{shown.state.value} {shown.reason}".rstrip()

    @property
    def shown(self) -> list[str]:
        return sorted(session.id for session in self.tracker.snapshots())

    @property
    def done(self) -> list[ch.TurnCompleted]:
        return [change for change in self.told if isinstance(change, ch.TurnCompleted)]


def _word(change: Change) -> str:
    """added, removed:why, the new state, done (a turn), needs:why (attention), error:class; details say nothing."""
    who = "" if change.session.id == ID else f"{change.session.id} "
    match change:
        case ch.SessionAdded():
            return f"{who}added"
        case ch.SessionRemoved():
            return f"{who}removed:{change.reason}"
        case ch.StateChanged():
            return f"{who}{change.session.state.value}"
        case ch.TurnCompleted():
            return f"{who}done"
        case ch.AttentionNeeded():
            return f"{who}needs:{change.reason}"
        case ch.ErrorSeen():
            return f"{who}error:{change.error_class}"
    return ""


def _event(kind: type[ev.Event], at: float, more: dict[str, Any]) -> Any:
    """Log records have a key, as agents give them; hooks and spans have one only where a story says so."""
    source = more.setdefault("source", LOG)
    if source is LOG and kind not in (ev.SessionDetail, ev.TurnFinished):
        more.setdefault("key", f"{kind.__name__}@{at}:{more.get('call', '')}")
    return kind(**{"agent": AGENT, "session": ID, "at": us(at), "record": kind.__name__, **more})


def detail(at: float = 0, **more: Any) -> ev.SessionDetail:
    return _event(ev.SessionDetail, at, more)


def prompt(at: float, **more: Any) -> ev.PromptSubmitted:
    return _event(ev.PromptSubmitted, at, more)


def woke(at: float, **more: Any) -> ev.PromptSubmitted:
    return _event(ev.PromptSubmitted, at, {"synthetic": True, **more})


def calls(at: float, **more: Any) -> ev.ModelCallStarted:
    return _event(ev.ModelCallStarted, at, more)


def answer(at: float, took: float = 0.5, tokens: int = 10, **more: Any) -> ev.ModelCallFinished:
    usage = Usage(input=tokens, output=1)
    return _event(ev.ModelCallFinished, at, {"started": us(at - took), "usage": usage, "model": "m", **more})


def failure(at: float, error_class: str = "server", **more: Any) -> ev.ModelCallFailed:
    return _event(ev.ModelCallFailed, at, {"error_class": error_class, **more})


def tool(at: float, call: str = "c", **more: Any) -> ev.ToolStarted:
    return _event(ev.ToolStarted, at, {"call": call, "name": "Bash", **more})


def ran(at: float, took: float = 0.2, call: str = "c", **more: Any) -> ev.ToolFinished:
    return _event(ev.ToolFinished, at, {"call": call, "name": "Bash", "started": us(at - took), **more})


def asks(at: float, tool: str = "Bash", **more: Any) -> ev.WaitStarted:
    return _event(ev.WaitStarted, at, {"source": HOOK, "tool": tool, "only": tool, **more})


def answered(at: float, name: str = "Bash", **more: Any) -> ev.QuestionAnswered:
    """Somebody pressed a key at a sub-agent's question."""
    return _event(ev.QuestionAnswered, at, {"name": name, **more})


def stop(at: float, **more: Any) -> ev.TurnFinished:
    """A Stop hook."""
    return _event(ev.TurnFinished, at, {"source": HOOK, "outcome": COMPLETED, "weak": True, **more})


def over(at: float, began: float, claim: str = "", **more: Any) -> ev.TurnFinished:
    """The span of a turn, which does not tell how it went."""
    return _event(ev.TurnFinished, at, {"source": SPAN, "started": us(began), "claim": claim or f"{at}", **more})


def cut(at: float, **more: Any) -> ev.TurnFinished:
    """A log record that tells of Esc."""
    return _event(ev.TurnFinished, at, {"outcome": INTERRUPTED, "weak": True, **more})


def goes_on(at: float, claim: str) -> ev.TurnGoesOn:
    return _event(ev.TurnGoesOn, at, {"source": SPAN, "claim": claim})


def sub_agent(at: float, task: str = "sub", **more: Any) -> ev.BackgroundStarted:
    return _event(ev.BackgroundStarted, at, {"task": task, **more})


def sub_agent_done(at: float, task: str = "sub", **more: Any) -> ev.BackgroundFinished:
    return _event(ev.BackgroundFinished, at, {"task": task, **more})


def ends(at: float, reason: str = "ended", **more: Any) -> ev.SessionEnded:
    return _event(ev.SessionEnded, at, {"reason": reason, **more})


def starts(at: float, pid: int, directory: str = "/home/dev/project") -> ev.ProcessStarted:
    return ev.ProcessStarted(agent="", session="", at=us(at), source=Source.PROCESS, pid=pid, directory=directory)


def exits(at: float, pid: int) -> ev.ProcessExited:
    return ev.ProcessExited(agent="", session="", at=us(at), source=Source.PROCESS, pid=pid)


def typed(at: float, pid: int) -> ev.UserActed:
    return ev.UserActed(agent=AGENT, session="", at=us(at), source=LOG, pid=pid)
