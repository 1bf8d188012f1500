"""Whatever agents make of telemetry: the tracker takes it, time goes on, and what readers are told adds up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimond.core import change as ch
from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.snapshot import State
from aimond.core.state import Patience
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.core.usage import Usage
from tests.core.story import us

anything = settings(
    max_examples=250, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

WORD = st.sampled_from(["", "a", "b"])
TIME = st.integers(0, 40).map(us) | st.sampled_from([0, 1, -(2**63), 2**63 - 1, us(-(10**6)), us(10**6)])
PID = st.integers(0, 3)
COUNT = st.integers(0, 3) | st.just(2**63)
COMMON: dict[str, Any] = {
    "agent": st.sampled_from(["one", "many"]),
    "session": st.sampled_from(["a", "b", "c", ""]),
    "at": TIME,
    "source": st.sampled_from(list(Source)),
    "key": st.sampled_from(["", "", "k", "l"]),
    "pid": PID,
}
USAGE = st.none() | st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
COST = st.sampled_from([None, Decimal(0), Decimal("1e-9"), Decimal(10) ** 9])
MAIN, YES = st.sampled_from([True, False, None]), st.booleans()
FIELDS: dict[type[ev.Event], dict[str, Any]] = {
    ev.SessionDetail: {"parent": WORD, "asks": MAIN, "hidden": YES, "shows": YES, "main_model": WORD, "model": WORD},
    ev.SessionEnded: {"reason": st.sampled_from(["ended", "replaced"])},
    ev.PromptSubmitted: {"turn": WORD, "trace": WORD, "synthetic": YES},
    ev.ModelCallStarted: {"main": MAIN},
    ev.ModelCallFinished: {
        "model": WORD,
        "started": TIME,
        "main": MAIN,
        "ends": MAIN,
        "usage": USAGE,
        "cost": COST,
    },
    ev.TurnPriced: {"turn": WORD, "began": TIME, "cost": COST.map(lambda cost: cost or Decimal(0)), "model": WORD},
    ev.UsageMeasured: {
        "model": WORD,
        "kind": st.sampled_from(["input", "output", "cost"]),
        "amount": st.sampled_from([Decimal(1), Decimal("0.5"), Decimal(10) ** 15]),
        "began": TIME,
        "cumulative": YES,
    },
    ev.ModelCallFailed: {"main": MAIN, "error_class": WORD, "final": YES, "aborted": YES},
    ev.ToolStarted: {"call": WORD, "name": WORD, "asked": MAIN},
    ev.ToolFinished: {"call": WORD, "name": WORD, "started": TIME},
    ev.WaitStarted: {"tool": WORD, "only": WORD, "by": WORD},
    ev.QuestionAnswered: {"name": WORD, "by": WORD},
    ev.BackgroundStarted: {"task": WORD},
    ev.BackgroundFinished: {"task": WORD, "wakes": YES},
    ev.TurnFinished: {
        "outcome": st.sampled_from([None, *ev.Outcome]),
        "turn": WORD,
        "started": TIME,
        "weak": YES,
        "claim": WORD,
        "error_class": WORD,
    },
    ev.TurnGoesOn: {"claim": WORD},
    ev.UserActed: {"session": st.just("")},
    ev.ProcessStarted: {"session": st.just(""), "directory": WORD, "terminal": WORD},
    ev.ProcessExited: {"session": st.just("")},
}
EVENT = st.one_of(*(st.builds(kind, **{**COMMON, **fields}) for kind, fields in FIELDS.items()))
# Seconds that pass (a clock may be set back), and what arrives then; nothing at all is the timer.
STORY = st.lists(st.tuples(st.sampled_from([0, 1, 8, 70, 1000, -5]), st.lists(EVENT, max_size=5)), max_size=12)


def new() -> Tracker:
    rests = Patience(one_per_process=True, rests=State.QUIET, unattended=None)
    return Tracker({"one": rests}, expire=2000 * SECOND, visible=3)


def test_there_is_a_strategy_for_every_event() -> None:
    kinds = {kind for kind in vars(ev).values() if isinstance(kind, type) and issubclass(kind, ev.Event)}
    assert kinds - {ev.Event} == set(FIELDS)


@anything
@given(STORY)
def test_after_a_tick_the_next_deadline_lies_ahead(story: list[tuple[int, list[ev.Event]]]) -> None:
    """Else a timer would run at once, for ever."""
    tracker, now = new(), us(0)
    for seconds, events in story:
        now += seconds * SECOND
        tracker.apply(events, now)
        tracker.tick(now)
        deadline = tracker.deadline()
        assert deadline is None or deadline > now


@anything
@given(STORY)
def test_what_readers_are_told_adds_up_to_what_is_there(story: list[tuple[int, list[ev.Event]]]) -> None:
    """Who only listens and who only looks see the same sessions in the same states."""
    tracker, now, shown = new(), us(0), dict[tuple[str, str], State]()
    for seconds, events in story:
        now += seconds * SECOND
        changes = tracker.apply(events, now)
        changes += tracker.tick(now)
        for change in changes:
            _listen(shown, change)
        assert shown == {(each.agent, each.id): each.state for each in tracker.snapshots()}
        assert len(shown) <= 3
    for agent, session in shown:
        found = tracker.find(f"{agent}:{session}")
        assert found is not None
        tracker.acknowledge(found, now)
        tracker.explain(f"{agent}:{session}")
        tracker.usage(found)
    tracker.ledger.totals(us(0), us(0))


def _listen(shown: dict[tuple[str, str], State], change: ch.Change) -> None:
    key = (change.session.agent, change.session.id)
    match change:
        case ch.SessionAdded():
            assert key not in shown
            shown[key] = State.IDLE
        case ch.SessionRemoved():
            del shown[key]
        case ch.StateChanged():
            assert shown[key] is change.old is not change.session.state
            shown[key] = change.session.state


@anything
@given(STORY)
def test_what_was_told_twice_counts_once(story: list[tuple[int, list[ev.Event]]]) -> None:
    """For all that records say and that has a key, delivered again in the request that follows."""
    once, twice, now = new(), new(), us(0)
    for seconds, events in story:
        now += seconds * SECOND
        keyed = [event for event in events if event.key and event.session]
        once.apply(keyed, now)
        twice.apply(keyed, now)
        twice.apply(keyed, now)
    assert once.snapshots() == twice.snapshots()
    assert once.ledger.since(0) == twice.ledger.since(0)
