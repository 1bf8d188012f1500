"""The corpus checker, all but turns: each story tells a replay that is right, or wrong in one way."""

from __future__ import annotations

import json

import pytest
from invented import (
    DONE,
    EXIT,
    HIDDEN,
    ONE_TURN,
    SPOKE,
    Line,
    change,
    check,
    entry,
    hook,
    parse,
    report,
    said,
    session,
    state,
    turn,
    wrong,
)

ASKED = session(turn(2.0, 10.0, waits=[{"start": 4.0, "end": 6.0}]))
PERMISSION = hook(4.0, "PermissionRequest")


def test_a_wait_is_shown_when_the_hook_says_so_and_ends() -> None:
    verdict = check(ASKED, [SPOKE, PERMISSION], [state(4.1, "waiting", "hook"), state(6.5, "working"), DONE])
    assert not wrong(verdict)
    assert (verdict.tally.waits, verdict.tally.waits_shown) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        [DONE],
        [state(4.5, "waiting", "hook"), state(6.5, "working"), DONE],
        [state(3.6, "waiting", "hook"), state(3.9, "working"), DONE],
        [state(4.1, "waiting", "hook"), DONE],
        [state(4.1, "waiting", "hook"), DONE, state(22.0, "completed")],
    ],
    ids=["never shown", "half a second late", "over before the hook", "never over", "over too late"],
)
def test_a_wait_not_shown_in_time_or_never_over_is_found(changes: list[Line]) -> None:
    tape = [SPOKE, hook(4.0, "Notification", notification_type="ToolPermission")]
    assert wrong(check(ASKED, tape, changes)) == {"waits_wrong": 1}


def test_waiting_without_a_hook_is_unfounded() -> None:
    changes = [state(5.0, "waiting", "log"), state(6.5, "working"), DONE]
    assert wrong(check(ASKED, [SPOKE], changes)) == {"unfounded_waits": 1}


def test_waiting_when_nobody_was_asked_is_unfounded() -> None:
    changes = [state(8.0, "waiting", "hook"), state(8.5, "working"), DONE]
    assert wrong(check(ASKED, [SPOKE], changes)) == {"unfounded_waits": 1}


def test_the_user_is_called_once_for_each_reason() -> None:
    waiting = [state(4.0, "waiting", "hook"), change(4.0, "attention")]
    over = [state(6.5, "working"), DONE]
    assert not wrong(check(ASKED, [SPOKE, PERMISSION], [*waiting, *over]))
    twice = [*waiting, change(4.2, "attention"), *over]
    assert wrong(check(ASKED, [SPOKE, PERMISSION], twice)) == {"false_calls": 1}
    at_once = [*waiting, change(4.0, "attention"), *over]
    assert wrong(check(ASKED, [SPOKE, PERMISSION], at_once)) == {"false_calls": 1}
    assert not wrong(check(ASKED, [SPOKE, PERMISSION, hook(4.2, "PermissionRequest")], twice))


def test_the_network_alone_needs_no_waits_and_no_ends() -> None:
    verdict = check(ASKED, [SPOKE, PERMISSION, EXIT], [DONE], entry(ended=None), only="otlp")
    assert not wrong(verdict)
    assert verdict.tally.waits == 0


def test_hidden_and_unknown_sessions_are_ghosts() -> None:
    truth = [ONE_TURN, session(session_id=HIDDEN, kind="title", hidden=True)]
    hidden = check(truth, [SPOKE], [DONE, change(12.0, "session-added", HIDDEN)], entry(), entry(HIDDEN))
    assert wrong(hidden) == {"ghosts": 1}
    assert "title" in hidden.problems[0]
    assert wrong(check(ONE_TURN, [SPOKE], [DONE], entry(), entry("never-heard-of"))) == {"ghosts": 1}


def test_a_session_the_tape_speaks_of_must_be_shown() -> None:
    other = "00000000-0000-4000-8000-000000000002"
    truth = [ONE_TURN, session(turn(2.0, 10.0, "failed"), session_id=other)]
    unheard = check(truth, [SPOKE], [DONE])
    assert not unheard.problems
    truth = [ONE_TURN, session(turn(2.0, 10.0), session_id=other)]
    heard = check(truth, [SPOKE, said(3.0, 2.0, who=other)], [DONE])
    assert (heard.tally.found, heard.tally.sessions) == (1, 2)
    assert heard.problems[0] == f"{other}: never shown"
    assert heard.tally.missed == 0, "its one record was said long before its turn ended"


def test_a_sub_agent_carries_its_parent() -> None:
    child = session(turn(2.0, 10.0), kind="subagent", parent_session_id="p")
    assert wrong(check(child, [SPOKE], [DONE])) == {"parents_wrong": 1}
    assert not wrong(check(child, [SPOKE], [DONE], entry(parent="p")))
    assert wrong(check(ONE_TURN, [SPOKE], [DONE], entry(parent="p"))) == {"parents_wrong": 1}


def test_a_session_whose_process_exited_has_ended() -> None:
    assert wrong(check(ONE_TURN, [SPOKE, EXIT], [DONE], entry(ended=None))) == {"not_ended": 1}
    assert not wrong(check(ONE_TURN, [SPOKE], [DONE], entry(ended=None)))


SPENT = {"requests": 2, "input_uncached": 10, "cache_write_5m": 3, "cache_write_1h": 4, "output": 5}
SHOWN = {"requests": 2, "input_uncached": 10, "cache_read": 0, "cache_write": 7, "output": 5, "cost": None}


def test_tokens_are_compared_kind_by_kind() -> None:
    truth = session(turn(2.0, 10.0), observable_usage={"m": SPENT})
    assert not wrong(check(truth, [SPOKE], [DONE], entry(usage={"m": SHOWN})))
    off = {"m": SHOWN | {"output": 4, "input_uncached": 11}}
    assert wrong(check(truth, [SPOKE], [DONE], entry(usage=off))) == {"token_error": 2}
    assert wrong(check(truth, [SPOKE], [DONE], entry(usage={"m": SHOWN | {"requests": 3}}))) == {"request_error": 1}
    assert wrong(check(truth, [SPOKE], [DONE], entry(usage={"n": SHOWN}))) == {"token_error": 44, "request_error": 4}


def test_the_tokens_of_a_hidden_session_count_once_under_one_it_serves() -> None:
    spent = {"m": {"requests": 1, "output": 5}}
    truth = [
        session(turn(2.0, 10.0), observable_usage=spent),
        session(session_id=HIDDEN, kind="title", hidden=True, observable_usage=spent),
    ]
    with_title = entry(usage={"m": {"requests": 2, "output": 10}})
    assert not wrong(check(truth, [SPOKE], [DONE], with_title))
    forgotten = check(truth, [SPOKE], [DONE], entry(usage=spent))
    assert wrong(forgotten) == {"token_error": 5, "request_error": 1}
    twice = check(truth, [SPOKE], [DONE], entry(usage={"m": {"requests": 3, "output": 15}}))
    assert wrong(twice) == {"token_error": 5, "request_error": 1}


def test_tokens_under_the_wrong_session_are_found_though_the_total_is_right() -> None:
    other = "00000000-0000-4000-8000-000000000002"
    truth = [
        session(turn(2.0, 10.0), observable_usage={"m": {"output": 5}}),
        session(session_id=other, observable_usage={"m": {"output": 7}}),
    ]
    swapped = [entry(usage={"m": {"output": 7}}), entry(other, usage={"m": {"output": 5}})]
    assert wrong(check(truth, [SPOKE], [DONE], *swapped)) == {"token_error": 4}
    heaped = [entry(usage={"m": {"output": 12}}), entry(other)]
    assert wrong(check(truth, [SPOKE], [DONE], *heaped)) == {"token_error": 14}


GOOD_END = json.dumps({"change": "end", "sessions": [entry()]})
ADDED = json.dumps(change(5.0, "session-added"))


@pytest.mark.parametrize(
    ("output", "errors", "status"),
    [
        (f"{ADDED}\n{GOOD_END}", "Traceback (most recent call last):\n  boom", 1),
        (f"{ADDED}\n{GOOD_END}", "Traceback (most recent call last):\n  boom", 0),
        (f"{ADDED}\nnot json\n{GOOD_END}", "", 0),
        (f"{ADDED}\n[]\n{GOOD_END}", "", 0),
        (ADDED, "", 0),
        (f"{GOOD_END}\n{ADDED}", "", 0),
        (f"{ADDED}\n{json.dumps(change(4.0, 'error'))}\n{GOOD_END}", "", 0),
        (f"{json.dumps(change(5.0, 'session-added', 'x'))}\n{GOOD_END}", "", 0),
    ],
    ids=["crash", "traceback", "no json", "no object", "no end", "after the end", "back in time", "not in the end"],
)
def test_output_that_is_not_what_was_promised_is_a_fault(output: str, errors: str, status: int) -> None:
    assert len(parse(output, errors=errors, status=status).faults) == 1
    assert not parse(f"{ADDED}\n{GOOD_END}").faults


def test_the_table_is_aligned_and_names_each_problem() -> None:
    good = check(ONE_TURN, [SPOKE], [DONE])
    bad = check(ONE_TURN, [SPOKE], [])
    bad.tape = "a/much/longer/name"
    lines = report.table([good, bad]).splitlines()
    assert lines[3].strip() == f"- {bad.problems[0]}"
    assert lines[4].startswith("1 wrong")
    assert len({len(line) for line in (lines[0], lines[1], lines[2], lines[4])}) == 1
    assert json.loads(report.document([good, bad]))["total"]["missed"] == 1
