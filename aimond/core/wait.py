"""A question to the user, and what proves that it is over."""

from __future__ import annotations

from dataclasses import dataclass

from aimond.core import event as ev


@dataclass(slots=True)
class Wait:
    """The agent asked its user something at ``at``; over when ``over`` is not 0."""

    at: int
    kind: str
    tool: str
    only: str
    record: str
    over: int = 0


def proves_over(wait: Wait, event: ev.Event) -> bool:
    """Whether this could not have happened while the question was open."""
    match event:
        case ev.ToolStarted() | ev.ToolFinished():
            return event.at > wait.at and (not wait.only or event.name in ("", wait.only))
        case ev.ModelCallStarted() | ev.ModelCallFailed():
            return event.main is not False and event.at > wait.at
        case ev.ModelCallFinished():
            return event.main is not False and event.started > wait.at
        case ev.TurnFinished() | ev.PromptSubmitted():
            return event.at > wait.at
    return False
