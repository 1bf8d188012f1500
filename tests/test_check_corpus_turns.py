"""The corpus checker and turns: each story tells a replay that is right, or wrong in one way."""

from __future__ import annotations

import pytest
from invented import (
    DONE,
    EXIT,
    ID,
    ONE_TURN,
    SPOKE,
    Line,
    change,
    check,
    entry,
    hook,
    posted,
    said,
    session,
    state,
    turn,
    wrong,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def test_a_turn_announced_once_after_its_end_is_on_time() -> None:
    verdict = check(ONE_TURN, [SPOKE, EXIT], [state(11.0, "completed"), change(11.0, "completed")])
    assert not wrong(verdict)
    assert (verdict.tally.sessions, verdict.tally.found, verdict.tally.turns, verdict.tally.on_time) == (1, 1, 1, 1)
    assert verdict.tally.worst_delay == pytest.approx(1.0)


def test_a_turn_never_announced_is_missed() -> None:
    assert wrong(check(ONE_TURN, [SPOKE], [])) == {"missed": 1}


def test_a_turn_whose_last_records_were_lost_need_not_be_announced() -> None:
    assert not wrong(check(ONE_TURN, [said(5.0, 2.0, 4.0)], []))


def test_completed_before_the_end_is_early() -> None:
    tape = [said(3.0, 2.0), SPOKE]
    assert wrong(check(ONE_TURN, tape, [change(5.0, "completed")])) == {"early": 1}
    both = [state(5.0, "completed"), change(5.0, "completed")]
    assert wrong(check(ONE_TURN, tape, both)) == {"early": 1}, "one mistake is counted once"


def test_completed_twice_is_duplicated() -> None:
    verdict = check(ONE_TURN, [SPOKE], [change(11.0, "completed"), change(12.0, "completed")])
    assert wrong(verdict) == {"duplicated": 1}
    assert verdict.tally.on_time == 1


def test_completed_long_after_the_end_is_late() -> None:
    assert wrong(check(ONE_TURN, [SPOKE], [change(20.5, "completed")])) == {"late": 1}


def test_late_news_excuse_a_late_announcement() -> None:
    verdict = check(ONE_TURN, [said(30.0, 2.0, 10.0)], [change(31.0, "completed")])
    assert not wrong(verdict)
    assert (verdict.tally.news_late, verdict.tally.on_time) == (1, 0)
    assert "20.00 s" in verdict.notes[0]
    assert wrong(check(ONE_TURN, [said(30.0, 2.0, 10.0)], [change(41.0, "completed")])) == {"late": 1}


def test_news_of_a_turn_may_come_after_the_next_one_began() -> None:
    truth = session(turn(2.0, 10.0), turn(11.0, 20.0))
    tape = [said(12.0, 2.0, 10.0, 11.0), said(21.0, 20.0)]
    assert not wrong(check(truth, tape, [change(12.0, "completed"), change(21.0, "completed")]))


def test_a_synthetic_turn_may_speak_for_the_one_before_it() -> None:
    truth = session(turn(2.0, 10.0), turn(11.0, 12.0, synthetic=True))
    tape = [said(10.5, 2.0, 10.0), said(12.5, 11.0, 12.0)]
    together = check(truth, tape, [change(12.5, "completed")])
    assert not wrong(together)
    assert together.tally.on_time == 2
    assert not wrong(check(truth, tape, [change(10.5, "completed"), change(12.5, "completed")]))
    assert wrong(check(truth, tape, [change(10.5, "completed")])) == {"missed": 1}
    typed = session(turn(2.0, 10.0), turn(11.0, 12.0))
    assert wrong(check(typed, tape, [change(12.5, "completed")])) == {"missed": 1}


def test_quiet_is_an_announcement_where_the_tape_cannot_tell_done_from_waiting() -> None:
    verdict = check(ONE_TURN, [SPOKE], [state(14.0, "quiet")])
    assert not wrong(verdict)
    assert (verdict.tally.on_time, verdict.tally.quiet) == (1, 1)


def test_a_turn_called_quiet_may_be_corrected_but_takes_no_later_turns_duplicate() -> None:
    truth = session(turn(2.0, 10.0), turn(20.0, 30.0))
    tape = [SPOKE, said(21.0, 20.0), said(31.0, 30.0)]
    soon = [state(12.0, "quiet"), change(15.0, "completed"), change(31.0, "completed")]
    assert not wrong(check(truth, tape, soon))
    long_after = [state(12.0, "quiet"), change(25.0, "completed"), change(31.0, "completed")]
    assert wrong(check(truth, tape, long_after)) == {"early": 1}
    assert not wrong(check(ONE_TURN, [SPOKE], [state(12.0, "quiet"), change(25.0, "completed")]))
    twice = [state(12.0, "quiet"), change(31.0, "completed"), change(32.0, "completed")]
    assert wrong(check(truth, tape, twice)) == {"duplicated": 1}


@pytest.mark.parametrize(
    "witness",
    [
        hook(10.2, "Stop"),
        said(11.0, 2.0, query_source="sdk"),
        said(11.0, 10.0, **{"event.name": "codex.agent_response"}),
    ],
    ids=["a hook", "nobody can be asked", "the answer is logged"],
)
def test_quiet_is_not_enough_where_the_tape_tells(witness: Line) -> None:
    assert wrong(check(ONE_TURN, [SPOKE, witness], [state(14.0, "quiet")])) == {"unsure": 1}


def test_protobuf_is_read_too_with_times_that_were_only_observed() -> None:
    logs, traces = ExportLogsServiceRequest(), ExportTraceServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=10 * 10**9)
    record.attributes.add(key="conversation.id").value.string_value = ID
    span = traces.resource_spans.add().scope_spans.add().spans.add(name="run_turn", end_time_unix_nano=10 * 10**9)
    span.attributes.add(key="conversation.id").value.string_value = ID
    tape = [posted(11.0, "logs", logs.SerializeToString())]
    assert not wrong(check(ONE_TURN, tape, [state(14.0, "quiet")]))
    assert wrong(check(ONE_TURN, tape, [])) == {"missed": 1}
    tape += [posted(12.0, "traces", traces.SerializeToString())]
    assert wrong(check(ONE_TURN, tape, [state(14.0, "quiet")])) == {"unsure": 1}


def test_the_prompt_of_claude_code_is_no_span_of_gemini_cli() -> None:
    assert not wrong(check(ONE_TURN, [said(11.0, 2.0, 10.0, **{"event.name": "user_prompt"})], [state(14.0, "quiet")]))


def test_quiet_inside_a_turn_is_early_but_not_inside_its_wait() -> None:
    tape = [said(3.0, 2.0), said(8.0, 6.0), SPOKE]
    truth = session(turn(2.0, 10.0, waits=[{"start": 4.0, "end": 6.0}]))
    ends = change(11.0, "completed")
    assert wrong(check(ONE_TURN, tape, [state(5.0, "quiet"), ends])) == {"early": 1}
    assert not wrong(check(truth, tape, [state(5.0, "quiet"), ends]))
    assert not wrong(check(truth, tape, [state(7.0, "quiet"), ends])), "the key press was not known before 8.0"
    assert wrong(check(truth, tape, [state(8.5, "quiet"), ends])) == {"early": 1}


def test_quiet_before_the_next_prompt_was_heard_of_speaks_of_the_turn_before() -> None:
    truth = session(turn(2.0, 10.0, "interrupted"), turn(12.0, 20.0))
    tape = [SPOKE, said(15.0, 12.0), said(21.0, 20.0)]
    assert not wrong(check(truth, tape, [state(14.0, "quiet"), change(21.0, "completed")]))
    assert wrong(check(truth, tape, [state(16.0, "quiet"), change(21.0, "completed")])) == {"early": 1}


def test_a_cut_turn_called_completed_is_a_false_completion() -> None:
    truth = session(turn(2.0, 10.0, "interrupted"))
    assert wrong(check(truth, [SPOKE], [change(11.0, "completed")])) == {"cut_completed": 1}
    assert not wrong(check(truth, [SPOKE], [state(13.0, "quiet")]))


def test_a_failed_turn_must_be_shown_as_failed_and_not_completed() -> None:
    truth = session(turn(2.0, 10.0, "failed"))
    assert wrong(check(truth, [SPOKE], [])) == {"failed_missed": 1}
    assert wrong(check(truth, [SPOKE], [change(11.0, "completed")])) == {"failed_missed": 1, "cut_completed": 1}
    assert not wrong(check(truth, [SPOKE], [state(11.0, "failed")]))
    assert not wrong(check(truth, [SPOKE], [change(11.0, "session-removed")], entry(state="failed")))


def test_failed_while_it_retries_and_working_at_the_end_is_not_shown_as_failed() -> None:
    truth = session(turn(2.0, 10.0, "failed"))
    assert wrong(check(truth, [SPOKE], [state(5.0, "failed"), state(6.0, "working")])) == {"failed_missed": 1}


def test_shown_as_completed_without_a_completion_is_a_false_completion_too() -> None:
    shown = [state(11.0, "completed")]
    assert wrong(check(session(turn(2.0, 10.0, "killed")), [SPOKE], shown)) == {"cut_completed": 1}
    assert wrong(check(session(), [SPOKE], shown)) == {"cut_completed": 1}
    early = [state(5.0, "completed"), state(6.0, "working"), DONE]
    assert wrong(check(ONE_TURN, [said(3.0, 2.0), SPOKE], early)) == {"early": 1}
    assert not wrong(check(ONE_TURN, [SPOKE], [DONE, state(12.0, "idle"), state(13.0, "completed")]))


def test_a_completed_turn_called_interrupted_is_found_unless_it_is_owned_a_guess() -> None:
    cut = state(11.0, "idle") | {"reason": "interrupted"}
    assert wrong(check(ONE_TURN, [SPOKE], [cut, change(12.0, "completed")])) == {"false_cuts": 1}
    guess = check(ONE_TURN, [SPOKE], [cut | {"confidence": "inferred"}, change(12.0, "completed")])
    assert not wrong(guess)
    assert "as a guess" in guess.notes[0]
    assert not wrong(check(session(turn(2.0, 10.0, "interrupted")), [SPOKE], [cut]))


FAILED_THEN_DONE = session(turn(2.0, 10.0, "failed"), turn(12.0, 20.0))


def test_a_failure_is_shown_before_the_next_turn_is_known_of() -> None:
    tape = [SPOKE, said(13.0, 12.0), said(21.0, 20.0)]
    done = change(21.0, "completed")
    assert not wrong(check(FAILED_THEN_DONE, tape, [state(11.0, "failed"), state(13.0, "working"), done]))
    assert wrong(check(FAILED_THEN_DONE, tape, [state(14.0, "failed"), state(15.0, "working"), done])) == {
        "failed_missed": 1,
        "false_failures": 1,
    }


def test_a_failure_whose_news_came_with_the_next_prompt_may_be_shown_or_not() -> None:
    tape = [said(13.0, 2.0, 10.0, 12.0), said(21.0, 20.0)]
    done = change(21.0, "completed")
    assert not wrong(check(FAILED_THEN_DONE, tape, [done]))
    assert not wrong(check(FAILED_THEN_DONE, tape, [state(13.0, "failed"), state(13.0, "working"), done]))


def test_each_failure_is_shown_anew() -> None:
    truth = session(turn(2.0, 10.0, "failed"), turn(12.0, 20.0, "failed"))
    tape = [SPOKE, said(13.0, 12.0), said(21.0, 20.0)]
    assert wrong(check(truth, tape, [state(11.0, "failed")])) == {"failed_missed": 1}


def test_a_failure_that_never_was_is_found() -> None:
    changes = [state(5.0, "failed"), state(6.0, "working"), change(11.0, "completed")]
    assert wrong(check(ONE_TURN, [said(3.0, 2.0), SPOKE], changes)) == {"false_failures": 1}
    retried = session(turn(2.0, 10.0), errors=[{"t": 5.0}])
    assert wrong(check(retried, [said(3.0, 2.0), SPOKE], changes)) == {"false_failures": 1}
    esc = session(turn(2.0, 10.0, "interrupted"))
    assert wrong(check(esc, [SPOKE], [state(11.0, "failed")])) == {"false_failures": 1}
    gave_up = session(turn(2.0, 10.0, "killed"), errors=[{"t": 5.0}])
    assert not wrong(check(gave_up, [SPOKE], [state(11.0, "failed")]))
