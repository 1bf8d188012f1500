"""Which announcement speaks of which turn. Times are seconds since the tape's start."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from corpus.replayed import Replayed
from corpus.tape import JITTER, Tape
from corpus.truth import Session, Turn

LATE = 10.0


@dataclass(slots=True)
class Told:
    """What was said of one turn: when it was called completed, and when quiet."""

    turn: Turn
    known: float
    completed: float | None = None
    quiet: float | None = None
    early: bool = False

    def takes_correction(self, time: float) -> bool:
        """Whether completed may still be said of it: once it was called quiet, only for a while."""
        return self.quiet is None or time - self.turn.end <= LATE

    @property
    def first(self) -> float | None:
        return min((time for time in (self.completed, self.quiet) if time is not None), default=None)


@dataclass(slots=True)
class Matching:
    """A session's turns with what was said of them, and the announcements that say something wrong."""

    told: list[Told]
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def current(self, time: float) -> Told | None:
        """The newest turn whose beginning the tape had told by then: a monitor cannot know of a later one."""
        return next((told for told in reversed(self.told) if told.known <= time), None)

    def completed(self, time: float) -> None:
        current = self.current(time)
        due = [t for t in self._over(time) if t.completed is None and (t.takes_correction(time) or t is current)]
        if due:
            due[-1].completed = time
        elif current is None:
            self.wrong.append(("cut_completed", f"completed at {time:.2f}, before any turn"))
        elif current.turn.outcome != "completed":
            self.wrong.append(("cut_completed", f"{current.turn} called completed at {time:.2f}"))
        elif time < current.turn.end - JITTER:
            current.early = True
            self.wrong.append(("early", f"{current.turn} called completed at {time:.2f}, before its end"))
        else:
            self.wrong.append(("duplicated", f"{current.turn} called completed again at {time:.2f}"))

    def quiet(self, time: float, tape: Tape, session: str) -> None:
        due = [t for t in self._over(time) if t.first is None]
        current = self.current(time)
        if due:
            due[-1].quiet = time
        elif current and time < current.turn.end - JITTER and not _waits(current.turn, time, tape, session):
            current.early = True
            self.wrong.append(("early", f"{current.turn} called quiet at {time:.2f}, before its end and not in a wait"))

    def _over(self, time: float) -> list[Told]:
        return [t for t in self.told if t.turn.outcome == "completed" and t.turn.end - JITTER <= time]


def match(session: Session, replayed: Replayed, tape: Tape) -> Matching:
    """Every announcement of a session, given to a turn in the order of time."""
    known = ((turn, tape.news_since(session.id, turn.start)) for turn in session.turns)
    matching = Matching([Told(turn, math.inf if time is None else time) for turn, time in known])
    announced = [(time, "completed") for time in replayed.times(session.id, "completed")]
    announced += [(shown.start, "quiet") for shown in replayed.shown(session.id) if shown.state == "quiet"]
    for time, word in sorted(announced):
        if word == "completed":
            matching.completed(time)
        else:
            matching.quiet(time, tape, session.id)
    return matching


def _waits(turn: Turn, time: float, tape: Tape, session: str) -> bool:
    return any(wait.start - JITTER <= time <= _wait_known_over(wait.end, tape, session) for wait in turn.waits)


def _wait_known_over(end: float, tape: Tape, session: str) -> float:
    news = tape.news_since(session, end)
    return math.inf if news is None else max(news, end)
