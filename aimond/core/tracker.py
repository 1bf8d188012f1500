"""Events in, changes out: the one place that knows all sessions. Pure: the time is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aimond.core import event as ev
from aimond.core import farewell
from aimond.core.accounts import MONEY, Accounts
from aimond.core.change import AttentionNeeded, Change, SessionAdded, SessionRemoved
from aimond.core.evidence import Reason
from aimond.core.families import Traces
from aimond.core.hidden import Servants
from aimond.core.journal import Journal
from aimond.core.lives import Lives
from aimond.core.price import UNPRICED, Pricing
from aimond.core.resume import session as made_from
from aimond.core.review import last_name, show
from aimond.core.reviews import Reviews
from aimond.core.rows import Past
from aimond.core.session import Session
from aimond.core.sessions import KEPT, NO_PATIENCE, Key, Sessions
from aimond.core.snapshot import SessionSnapshot, State, most_urgent
from aimond.core.state import Patience, end_turn
from aimond.core.turn import SECOND
from aimond.core.usage import NOTHING, Spent, by_model

CAN_BE_SEEN: Final = (State.COMPLETED, State.FAILED, State.QUIET)


class Tracker:
    """All sessions. ``patience`` is per agent; ``expire``: how long one of unknown process may be silent, µs;
    ``project_of``: the project that a directory belongs to; ``journal``: collects what history is to keep; ``pricing``:
    what calls cost."""

    def __init__(
        self,
        patience: Mapping[str, Patience],
        expire: int = 3600 * SECOND,
        visible: int = 256,
        project_of: Callable[[str], str] = last_name,
        journal: Journal | None = None,
        pricing: Pricing = UNPRICED,
    ) -> None:
        self.patience, self.project_of = patience, project_of
        self.sessions = Sessions(patience, max(KEPT, 2 * visible))
        self._traces = Traces()
        self._servants = Servants(self.sessions)
        self.journal, self.accounts = journal, Accounts(pricing, self._servants.served_by, journal)
        self.ledger = self.accounts.ledger
        self._touched: dict[Key, None] = {}
        self._lives = Lives(self.sessions, self._touched)
        self.reviews = Reviews(
            self.sessions,
            self._touched,
            self._servants,
            self._lives,
            self.accounts,
            project_of,
            journal,
            expire,
            visible,
        )

    # -- in -----------------------------------------------------------------------------------------

    def apply(self, events: Iterable[ev.Event], now: int) -> list[Change]:
        """Take in what one request said; changes are compared once, at its end."""
        self.hear(events, now)
        return self.reviews.changes(now)

    def hear(self, events: Iterable[ev.Event], now: int) -> None:
        """Take in what was said, without a look at what it changed."""
        for event in events:
            _TAKE.get(type(event), Tracker._session_event)(self, event, now)

    def tick(self, now: int) -> list[Change]:
        """Let time pass: silence is a fact too."""
        self.reviews.end_what_is_due(now)
        self._touched.update(((each.agent, each.id), None) for each in self.accounts.settle(now))
        return self.reviews.changes(now)

    def jumped(self, slept: int, set_: int, now: int) -> list[Change]:
        """The machine slept, or its clock was set, by so many µs; ``now`` is afterwards."""
        self.sessions.jumped(slept + set_, min(set_, 0))
        self._touched.update(dict.fromkeys(self.sessions))
        self.accounts.jumped(slept + set_)
        return self.reviews.changes(now)

    def deadline(self) -> int | None:
        """When ``tick`` has something to do, µs since the epoch; None: never, unless an event comes."""
        return min(filter(None, (self.reviews.deadline(), self.accounts.due)), default=None)

    def resume(self, past: Iterable[Past], now: int) -> list[Change]:
        """Take over sessions of an earlier run. Gives those that are shown, and which of them still wait for their
        user: what was on the screen of that ended with it. All else has been told, or can be asked for."""
        hidden: list[tuple[Key, str]] = []
        for one in past:
            session = made_from(one, self.patience.get(one.session.agent, NO_PATIENCE), now)
            key = session.agent, session.id
            self.sessions[key] = session
            self.sessions.file(session)
            self._touched[key] = None
            self.accounts.resumed(session, now)
            if session.hidden:
                hidden.append((key, one.session.serves))
            if session.ended_at and session.shown and not session.hidden:
                session.seen = show(session, NOTHING, self.project_of)
        for key, served in hidden:
            self._servants.restore(key, served)
        return [change for change in self.reviews.changes(now) if _still_matters(change)]

    def serves(self, session: Session) -> str:
        """The id of the session that this hidden one works for, "" if none."""
        served = self._servants.served_by(session) if session.hidden else None
        return served.id if served else ""

    # -- events -------------------------------------------------------------------------------------

    def _of_process(self, event: ev.Event, now: int) -> None:
        _OF_PROCESSES[type(event)](self._lives, event)

    def _of_money(self, event: ev.TurnPriced | ev.UsageMeasured, now: int) -> None:
        if self.accounts.told(self.sessions[event.agent, event.session], event, now):
            self._touched[event.agent, event.session] = None

    def _session_event(self, event: ev.Event, now: int) -> None:
        key = (event.agent, event.session)
        session = self.sessions[key]
        news = session.add(self.accounts.priced(event) if type(event) is ev.ModelCallFinished else event, now)
        if news is None:
            return
        if self.journal is not None:
            self.journal.note(session, news)
        self.sessions.file(session)
        self._touched[key] = None
        if session.ended_at and farewell.revives(session, event, self._lives):
            if session.end_reason not in farewell.PRESUMED:
                end_turn(session)
            session.revive(event.at)
            self.sessions.back(key)
        self._lives.bind(session, event.pid)
        note = _NOTE.get(type(event))
        if note:
            note(self, session, news)

    def _prompted(self, session: Session, event: ev.PromptSubmitted) -> None:
        farewell.unsay(session, event)
        self._see_who_serves(session)
        self.accounts.turns_changed(session)
        if event.trace and session.patience.sub_agents_share_trace:
            kin = self._traces.join(event.trace, (session.agent, session.id), event.at)
            for key in kin.keys() & self.sessions.keys():
                self.sessions[key].traced_parent = kin[key]
                self.sessions.file(self.sessions[key])
                self._touched[key] = None
        self._lives.find_terminal(session, event.at)

    def _described(self, session: Session, event: ev.SessionDetail) -> None:
        if event.hidden:
            self._see_who_serves(session)

    def _see_who_serves(self, session: Session) -> None:
        for key in self._servants.prompted(session):
            if key in self.sessions:
                self._touched[key] = None
                if self.journal is not None:
                    self.journal.touch(self.sessions[key])

    def _answered(self, session: Session, event: ev.ModelCallFinished) -> None:
        self.accounts.called(session, event)

    def _call_failed(self, session: Session, event: ev.ModelCallFailed) -> None:
        if not event.aborted and not session.keys.counted(event.key):
            self.reviews.failed(session, event.error_class)

    def _said_farewell(self, session: Session, event: ev.SessionEnded) -> None:
        farewell.say(session, event, self._lives)

    # -- readers ------------------------------------------------------------------------------------

    def snapshots(self) -> list[SessionSnapshot]:
        """The visible sessions, most urgent first."""
        return most_urgent(self.shown())

    def shown(self) -> list[SessionSnapshot]:
        """The visible sessions, in any order."""
        return list(self.reviews.shown.values())

    def usage(self, session: Session) -> Mapping[str, Spent]:
        """What a session used per model, with the hidden threads that served it."""
        return by_model(session.models, self._servants.models(session))

    def find(self, wanted: str) -> Session | None:
        """The visible session of that id; ``agent:id`` tells two of the same id apart."""
        return self.sessions.find(wanted)

    def explain(self, wanted: str) -> list[Reason] | None:
        """Why a session is in its state, newest first; None if there is no such session."""
        session = self.find(wanted)
        return list(reversed(session.reasons)) if session else None

    def acknowledge(self, session: Session, now: int) -> list[Change]:
        """The user has seen it: completed, failed and quiet become idle."""
        if session.verdict.state not in CAN_BE_SEEN:
            return []
        session.newest.acknowledged = session.verdict.state
        self._touched[session.agent, session.id] = None
        return self.reviews.changes(now)

    def focusable(self, session: Session, can: bool, now: int) -> list[Change]:
        """Whether its terminal can be brought to the front, as the desktop says."""
        session.can_focus = can
        self._touched[session.agent, session.id] = None
        return self.reviews.changes(now)


def _still_matters(change: Change) -> bool:
    if isinstance(change, AttentionNeeded):
        return change.session.state is State.WAITING
    return isinstance(change, SessionAdded | SessionRemoved)


_OF_PROCESSES: Final[dict[type[ev.Event], Callable[[Lives, Any], None]]] = {
    ev.ProcessStarted: Lives.started,
    ev.ProcessExited: Lives.exited,
    ev.UserActed: Lives.typed,
}
# All others are of sessions.
_TAKE: Final[dict[type[ev.Event], Callable[[Tracker, Any, int], None]]] = {
    **dict.fromkeys(_OF_PROCESSES, Tracker._of_process),
    **dict.fromkeys(MONEY, Tracker._of_money),
}
_NOTE: Final[dict[type[ev.Event], Callable[[Tracker, Session, Any], None]]] = {
    ev.PromptSubmitted: Tracker._prompted,
    ev.SessionDetail: Tracker._described,
    ev.ModelCallFinished: Tracker._answered,
    ev.ModelCallFailed: Tracker._call_failed,
    ev.SessionEnded: Tracker._said_farewell,
}
