"""Questions to the user, and what proves that they were answered.

Several can be open: a CLI asks one after the other for tools that run side by side, and a sub-agent asks for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from aimond.core import event as ev
from aimond.core.evidence import Source

Question = ev.WaitStarted
# Told by hook and by log it is one question; the hook's own time is its arrival.
SAME_QUESTION: Final = 2_000_000

PROVES: Final = frozenset(
    {
        ev.ToolStarted,
        ev.ToolFinished,
        ev.QuestionAnswered,
        ev.ModelCallStarted,
        ev.ModelCallFinished,
        ev.ModelCallFailed,
        ev.TurnFinished,
        ev.PromptSubmitted,
        ev.BackgroundFinished,
    }
)


class Weighed(Struct, frozen=True):
    """The newest question that is open, and what proved the last answer; None where there is none."""

    open: Question | None = None
    proof: ev.Event | None = None


class Questions:
    """The questions of a turn, weighed against its events when somebody wants to know."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self._weighed, self._version = Weighed(), -1

    def ask(self, question: Question) -> None:
        """Take one in; the same one again is no other."""
        if question not in self.asked:
            self.asked = [*self.asked[-15:], question]

    def open(self, events: Iterable[ev.Event]) -> list[Question]:
        """Those that still are; an answered one must not outlive the proof of it."""
        return unanswered(self.asked, events)[0] if self.asked else []

    def weighed(self, events: Iterable[ev.Event], version: int) -> Weighed:
        """What they come to; ``version`` tells whether the events are still those of the last time."""
        if version != self._version:
            open_, proof = unanswered(self.asked, events) if self.asked else ([], None)
            self._weighed, self._version = Weighed(open_[-1] if open_ else None, proof), version
        return self._weighed


def unanswered(questions: Sequence[Question], events: Iterable[ev.Event]) -> tuple[list[Question], ev.Event | None]:
    """The questions that nothing proves answered, the oldest first, and what proved the last answer, in whatever order
    all of it was heard."""
    since = min(question.at for question in questions)
    told = [event for event in events if type(event) in PROVES]
    started = {event.call for event in told if isinstance(event, ev.ToolStarted) and event.call}
    story = sorted([*questions, *(event for event in told if event.at > since)], key=lambda event: event.at)
    open_: list[Question] = []
    proof: ev.Event | None = None
    for event in story:
        if isinstance(event, ev.WaitStarted):
            reminds = not event.tool and bool(open_)
            if not reminds and not _is_echo(event, questions):
                open_.append(event)
        elif open_ and len(left := _left(event, open_, started)) < len(open_):
            open_, proof = left, event
    return open_, proof


def _left(event: ev.Event, open_: list[Question], started: set[str]) -> list[Question]:
    """The questions that are still open after that event."""
    if isinstance(event, ev.ToolFinished) and event.call in started:
        return open_
    if isinstance(event, ev.ToolStarted | ev.ToolFinished | ev.QuestionAnswered):
        answered = next((question for question in open_ if _answers(event, question)), None)
        return [question for question in open_ if question is not answered]
    return [question for question in open_ if not _overtakes(event, question)]


def _is_echo(question: Question, questions: Sequence[Question]) -> bool:
    """A log's word on a question that the hook itself told of."""
    hooks = [] if question.source is Source.HOOK else [each for each in questions if each.source is Source.HOOK]
    return any(question.tool in ("", hook.tool) and abs(hook.at - question.at) <= SAME_QUESTION for hook in hooks)


def _answers(event: ev.ToolStarted | ev.ToolFinished | ev.QuestionAnswered, question: Question) -> bool:
    """Whether the user's answer to that one question is what let this happen."""
    if event.at <= question.at or (question.only not in ("", event.name) and event.name):
        return False
    if isinstance(event, ev.QuestionAnswered):
        return event.by == question.by
    return not question.by and not (isinstance(event, ev.ToolStarted) and event.asked is False)


def _overtakes(event: ev.Event, question: Question) -> bool:
    """Whether this could not have happened while that question was open."""
    match event:
        case ev.PromptSubmitted():
            return event.at > question.at and (not question.by or not event.synthetic)
        case ev.BackgroundFinished():
            return event.task == question.by and event.at > question.at
        case ev.ModelCallFinished():
            return not question.by and event.main is not False and event.started > question.at
        case ev.ModelCallStarted() | ev.ModelCallFailed():
            return not question.by and event.main is not False and event.at > question.at
    return not question.by and event.at > question.at
