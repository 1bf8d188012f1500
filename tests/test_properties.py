"""What holds whatever comes, in whatever order: the same facts are the same truth, and nothing raises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aimond.commands.replay import AFTERWARDS, replay
from aimond.core.event import Event
from aimond.core.tracker import Tracker
from aimond.core.turn import SECOND
from aimond.spine import Spine
from aimond.tape import Tape
from tests.recorded import PATHS, heard, name, tape

STEADY = (
    "state reason turns model_calls tool_calls errors parent model input_tokens cache_read_tokens cache_write_tokens "
    "tool_prompt_tokens output_tokens reasoning_tokens"
)
Truth = dict[tuple[str, str], dict[str, Any]]

few = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
each_tape = pytest.mark.parametrize("path", PATHS, ids=name)


def truth(played: Tape) -> Truth:
    """What the sessions of a tape came to, 300 s after its end."""
    *_, end = replay(played, only_otlp=True)
    return {
        (session["agent"], session["id"]): {key: session[key] for key in [*STEADY.split(), "usage"]}
        for session in end["sessions"]
    }


def differences(expected: Truth, got: Truth) -> list[str]:
    """``session field: expected → got`` of each difference, for a message that needs no debugger."""
    lines = [f"{key}: shown only in one" for key in expected.keys() ^ got.keys()]
    for key in expected.keys() & got.keys():
        for field, value in expected[key].items():
            if got[key][field] != value:
                lines.append(f"{key} {field}: {value!r} → {got[key][field]!r}")
    return lines


# -- order and repetition ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """What arrives when: some things early or late (from, to), some again (what, where)."""

    moved: list[tuple[int, int]]
    again: list[tuple[int, int]]

    def of(self, things: list[Any]) -> list[Any]:
        ordered = list(things)
        for source, target in self.moved:
            ordered.insert(target, ordered.pop(source))
        for source, target in self.again:
            ordered.insert(target, things[source])
        return ordered


def orders(length: int) -> st.SearchStrategy[Order]:
    places = st.integers(0, length - 1)
    pairs = st.tuples(places, places)
    moved = st.lists(pairs, max_size=3) | st.lists(pairs, min_size=length // 2, max_size=2 * length)
    return st.builds(Order, moved, st.lists(pairs, max_size=4))


def slots(times: list[Any], count: int) -> list[Any]:
    """As many times of arrival as there are things, spread over those that were."""
    return [times[round(place * (len(times) - 1) / max(1, count - 1))] for place in range(count)]


@each_tape
def test_requests_may_come_in_any_order_and_more_than_once(path: Path) -> None:
    played = tape(path)
    requests = [line for line in played.lines if line.kind == "otlp"]
    expected = truth(played)
    times = [line.t for line in requests]

    def shuffled(order: Order) -> Tape:
        arriving = order.of(requests)
        lines = [replace(line, t=t) for line, t in zip(arriving, slots(times, len(arriving)), strict=True)]
        return replace(played, lines=lines)

    @few
    @given(orders(len(requests)))
    def holds(order: Order) -> None:
        wrong = differences(expected, truth(shuffled(order)))
        assert not wrong, f"{name(path)} with its requests in another order, {order}:\n" + "\n".join(wrong)

    holds()
    last_first = Order([(0, len(requests) - 1 - place) for place in range(len(requests))], [])
    assert not differences(expected, truth(shuffled(last_first)))


def applied(patience: Any, arrivals: list[int], events: list[Event]) -> Truth:
    """What the sessions come to when each event is a request of its own."""
    tracker = Tracker(patience)
    for now, event in zip(arrivals, events, strict=True):
        run_timers(tracker, now)
        tracker.apply([event], now)
    run_timers(tracker, arrivals[-1] + round(AFTERWARDS) * SECOND)
    shown = {(each.agent, each.id): each.seen for each in tracker.sessions.remembered if each.seen and not each.hidden}
    return {
        key: {field: getattr(seen, field) for field in STEADY.split()}
        | {"usage": dict(tracker.usage(tracker.sessions[key]))}
        for key, seen in shown.items()
    }


def run_timers(tracker: Tracker, until: int) -> None:
    while (deadline := tracker.deadline()) is not None and deadline <= until:
        tracker.tick(deadline)


@each_tape
def test_events_may_come_in_any_order_and_more_than_once(path: Path) -> None:
    """Harder than a request's order, which keeps what was said together together."""
    told = heard(path)
    assert told, "nothing in it is an event"
    patience = Spine().tracker.patience
    arrivals, events = [now for now, _ in told], [event for _, event in told]
    expected = applied(patience, arrivals, events)

    @settings(few, max_examples=6)
    @given(orders(len(events)))
    def holds(order: Order) -> None:
        arriving = order.of(events)
        wrong = differences(expected, applied(patience, slots(arrivals, len(arriving)), arriving))
        assert not wrong, f"{name(path)} with its events in another order, {order}:\n" + "\n".join(wrong)

    holds()


def test_the_property_has_something_to_hold_for() -> None:
    """Every tape has requests; together they show every state that can be reached over the network."""
    finals = [session for path in PATHS for session in truth(tape(path)).values()]
    assert {session["state"] for session in finals} >= {"completed", "quiet", "failed", "idle"}
    assert sum(session["model_calls"] for session in finals) > 50
    assert any(session["parent"] for session in finals)
