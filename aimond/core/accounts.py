"""Money and tokens of all sessions: prices calls, and books them and the corrections to them, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from aimond.core import event as ev
from aimond.core.books import Change
from aimond.core.budget import Budgets, Crossing, Spending, Told
from aimond.core.change import BudgetCrossed
from aimond.core.journal import Journal
from aimond.core.ledger import Ledger
from aimond.core.price import Pricing
from aimond.core.session import Session
from aimond.core.snapshot import Basis
from aimond.core.tally import Tally
from aimond.core.turn import SECOND
from aimond.core.usage import NOTHING, Spent

# How long records of calls may come after the metrics that count them: Claude Code's logs leave every 5 s (2.1.330).
LOGS_LATE: Final = 10 * SECOND
# Told of usage alone, not of work: they wake no session up.
MONEY: Final = (ev.TurnPriced, ev.UsageMeasured)


class Accounts:
    """The totals of all sessions, in the ledger, in each session and in what history is to keep."""

    def __init__(
        self, pricing: Pricing, served: Callable[[Session], Session | None], journal: Journal | None = None
    ) -> None:
        self.pricing, self.ledger, self.journal = pricing, Ledger(), journal
        self.budgets, self.tally = Budgets(), Tally()
        self._served = served
        self._held: dict[Session, int] = {}
        self._crossed: list[BudgetCrossed] = []

    def priced(self, call: ev.ModelCallFinished) -> ev.ModelCallFinished:
        """The call with its price by the table."""
        if call.usage is not None:
            call = self.pricing.priced(call)
            if call.cost is not None and call.computed is not None and not call.estimated:
                self.pricing.compare(call.model, call.cost, call.computed)
        return call

    def called(self, session: Session, call: ev.ModelCallFinished) -> None:
        """Count a call, which its session has counted."""
        if call.usage is None:
            return
        self._spend(session, call.at, call.model, call.spent)
        if session.patience.prices_turns:
            session.books.called(call)
            self.turns_changed(session)
        if session.books.is_cut(call.model):
            self._settle(session, call.model)

    def _spend(self, session: Session, at: int, model: str, spent: Spent) -> None:
        self.ledger.add(at, spent)
        whose = self._served(session) or session
        project = whose.seen.project if whose.seen else ""
        self.tally.add(session.agent, model, project, spent)
        if self.budgets:
            self._cross(self.budgets.count(at, session.agent, whose.id, project, model, spent), whose)

    def _cross(self, crossings: Iterable[Crossing], session: Session | None) -> None:
        for crossing in crossings:
            if self.journal is not None:
                self.journal.crossed(crossing)
            self._crossed.append(crossing.told(session.seen if session else None))

    def crossed(self) -> list[BudgetCrossed]:
        """The thresholds of budgets that were crossed since somebody asked."""
        crossed, self._crossed = self._crossed, []
        return crossed

    def restore(self, parts: Iterable[Spending], told: Iterable[Told]) -> None:
        """Take over what an earlier run has spent of the budgets, and told of them."""
        self.budgets.restore(parts, told)
        self._cross(self.budgets.owed(), None)

    def turns_changed(self, session: Session) -> None:
        """A turn, a call of one or the price of one is news: let the prices of turns stand for those of their calls."""
        if not session.books.turns:
            return
        changes = session.books.turn_changes(session.prompts)
        self._book(session, changes)
        for model in {change.now.model for change in changes}:
            spent = session.models[model]
            if spent.basis is Basis.REPORTED and spent.tabled == spent.requests:
                self.pricing.compare(model, spent.cost, spent.table)

    def told(self, session: Session, event: ev.TurnPriced | ev.UsageMeasured, now: int) -> bool:
        """Take in what a turn cost or a metric counted; whether the session looks different now."""
        if event.key and not session.keys.add(event.key):
            return False
        again = session.keys.counted(event.key)
        if self.journal is not None and not again:
            self.journal.count(session, event)
        if isinstance(event, ev.TurnPriced):
            session.books.priced(event)
            self.turns_changed(session)
            return True
        if not again:
            session.books.measured.add(event)
        self._held.setdefault(session, now + LOGS_LATE)
        return False

    def resumed(self, session: Session, now: int) -> None:
        """An earlier run may have been about to count what its metrics had told."""
        if session.books.measured.models:
            self._held[session] = now + LOGS_LATE

    @property
    def due(self) -> int | None:
        """When metrics will have been waited for long enough, µs since the epoch."""
        return min(self._held.values(), default=None)

    def jumped(self, by: int) -> None:
        """Time jumped by so many µs; nothing could come meanwhile."""
        self._held = {session: due + by for session, due in self._held.items()}

    def settle(self, now: int) -> list[Session]:
        """Count what metrics alone have told until now; the sessions it was told of."""
        sessions = [session for session, due in self._held.items() if due <= now]
        for session in sessions:
            self._settle_all(session)
        return sessions

    def review(self, session: Session) -> None:
        """The same for one session, as soon as its logs are known to be complete: a later one has come, or its end."""
        if session in self._held and (session.ended_at or session.logged_at > session.books.measured.until):
            self._settle_all(session)

    def close(self, session: Session) -> None:
        """The same for one that is put away: should a log still come, it is counted in place of what metrics told."""
        if session in self._held:
            self._settle_all(session)

    def _settle_all(self, session: Session) -> None:
        del self._held[session]
        for model in session.books.measured.models:
            self._settle(session, model)

    def _settle(self, session: Session, model: str) -> None:
        surplus = session.books.surplus(model, session.models.get(model, NOTHING))
        spent = self.pricing.priced(surplus).spent if surplus else NOTHING
        self._book(session, session.books.cut_changes(model, spent))

    def _book(self, session: Session, changes: Iterable[Change]) -> None:
        for change in changes:
            session.book(change.now.model, change.added)
            self._spend(session, change.now.at, change.now.model, change.added)
            if self.journal is not None:
                self.journal.correct(session, change)
