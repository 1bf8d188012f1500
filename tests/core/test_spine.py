"""From a request to what became different, and what is counted on the way."""

from __future__ import annotations

from typing import Any

import pytest

from aimond.core.turn import SECOND
from aimond.otlp.record import Batch, Peer
from aimond.spine import Spine
from tests.core.story import us

CLAUDE, CODEX = "com.anthropic.claude_code.events", "codex_otel"


def request(*records: tuple[float, str, dict[str, Any]], seen: float = 10, scope: str = CLAUDE, **peer: Any) -> Batch:
    logs = [
        {
            "timeUnixNano": str(us(at) * 1000),
            "attributes": [
                {"key": key, "value": {"stringValue": str(value)}}
                for key, value in {"event.name": name, **said}.items()
            ],
        }
        for at, name, said in records
    ]
    parsed = {"resourceLogs": [{"scopeLogs": [{"scope": {"name": scope}, "logRecords": logs}]}]}
    return Batch("logs", "json", parsed, us(seen), Peer("http", **peer))


PROMPT = (1, "user_prompt", {"session.id": "s"})


def test_a_request_becomes_changes() -> None:
    changes = Spine().take(request(PROMPT))
    assert [type(change).__name__ for change in changes[:2]] == ["SessionAdded", "StateChanged"]
    assert changes[0].session.agent == "claude-code"


def test_what_several_requests_of_a_flood_changed_is_told_once() -> None:
    spine = Spine()
    spine.hear(request(PROMPT, seen=10))
    spine.hear(request((2, "api_error", {"session.id": "s", "query_source": "sdk", "status_code": 500}), seen=10.001))
    changes = spine.changes(us(10.001))
    assert [type(change).__name__ for change in changes] == [
        *("SessionAdded", "StateChanged", "AttentionNeeded", "DetailsChanged", "ErrorSeen")
    ]
    assert changes[0].session.state == "failed"
    assert spine.changes(us(10.002)) == []


@pytest.mark.parametrize(("comm", "pid"), [("claude", 7), ("node", 7), ("otelcol", 0), ("codex", 0), ("", 0)])
def test_a_peers_pid_counts_only_if_its_executable_is_that_agents(comm: str, pid: int) -> None:
    """Else a collector or a replay tool would own sessions."""
    spine = Spine()
    spine.take(request(PROMPT, pid=7, comm=comm))
    assert spine.tracker.snapshots()[0].pid == pid


@pytest.mark.parametrize("at", [4000, 10**7, -us(0) / SECOND])
def test_a_record_of_no_time_or_of_one_to_come_happened_when_it_was_heard(at: float) -> None:
    """It would outrank everything that follows."""
    spine = Spine()
    spine.take(request((at, "user_prompt", {"session.id": "s"}), seen=10))
    assert spine.tracker.snapshots()[0].turn_started == us(10)
    spine.take(request((11, "user_prompt", {"session.id": "s"}), seen=12))
    assert spine.tracker.snapshots()[0].turns == 2


@pytest.mark.parametrize("began", [10**8, 6, -us(0) / SECOND])
def test_a_span_that_began_after_its_end_or_at_no_time_outranks_nothing(began: float) -> None:
    operation = {"gen_ai.operation.name": "invoke_agent", "session.id": "s"}

    def span(start: float, end: float, number: str) -> Batch:
        pairs = [{"key": key, "value": {"stringValue": value}} for key, value in operation.items()]
        told = {"name": "x", "spanId": number, "attributes": pairs}
        told |= {"startTimeUnixNano": str(us(start) * 1000), "endTimeUnixNano": str(us(end) * 1000)}
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "any"}}]}
        spans = {"resource": resource, "scopeSpans": [{"spans": [told]}]}
        return Batch("traces", "json", {"resourceSpans": [spans]}, us(end + 1))

    spine = Spine()
    spine.take(span(began, 5, "01"))
    assert spine.tracker.snapshots()[0].turn_started == us(5)
    spine.take(span(20, 25, "02"))
    assert spine.tracker.snapshots()[0].turn_started == us(20)


def test_what_was_heard_is_counted_by_agent() -> None:
    spine = Spine()
    assert {health.state for health in spine.health(us(30)).values()} == {"never"}
    spine.take(request(PROMPT, (2, "a_new_event", {"session.id": "s"}), (3, "assistant_response", {}), seen=10))
    spine.take(request((4, "codex.user_prompt", {"conversation.id": "0123456789"}), scope=CODEX, seen=11))
    health = spine.health(us(30))
    assert set(health) == {"claude-code", "codex", "gemini-cli"}
    claude, codex = health["claude-code"], health["codex"]
    assert (claude.state, claude.records, claude.unknown_events, claude.last_record) == ("ok", 2, 1, us(10))
    assert (codex.state, codex.records, codex.unknown_events, codex.last_record) == ("ok", 1, 0, us(11))
    assert health["gemini-cli"].state == "never"


def test_hooks_without_telemetry_are_silence_until_a_record_comes() -> None:
    """The CLI's own exporter points elsewhere, or is off."""
    spine = Spine()
    spine.process_started(7, us(0))
    spine.take_hook("claude", "UserPromptSubmit", "hook", {"session_id": "s", "prompt": "Hi"}, us(1), pid=7)
    assert spine.health(us(20))["claude-code"].state == "never"
    assert spine.deadline(us(20)) == us(21)
    assert spine.health(us(21))["claude-code"].state == "silent"
    assert "doctor" in spine.health(us(21))["claude-code"].hint
    spine.take(request(PROMPT, seen=22))
    assert spine.health(us(60))["claude-code"].state == "ok"


def test_a_process_that_is_gone_owes_no_telemetry() -> None:
    spine = Spine()
    spine.take_hook("claude", "UserPromptSubmit", "hook", {"session_id": "s", "prompt": "Hi"}, us(1), pid=7)
    spine.process_exited(8, us(2))
    assert spine.health(us(60))["claude-code"].state == "silent"
    spine.process_exited(7, us(61))
    assert spine.health(us(90))["claude-code"].state == "never"


@pytest.mark.parametrize(
    ("peer", "claimed", "vouched", "pid"),
    [
        pytest.param(102, 102, {}, 102, id="it sends itself"),
        pytest.param(101, 102, {102}, 102, id="its launcher holds the connection"),
        pytest.param(101, 102, {}, 101, id="nobody knows the one it names, as in a container"),
        pytest.param(0, 102, {}, 0, id="from another machine"),
        pytest.param(101, "?", {}, 101, id="it names nobody"),
    ],
)
def test_a_process_that_a_record_names_is_believed_if_somebody_vouches_for_it(
    peer: int, claimed: Any, vouched: set[int], pid: int
) -> None:
    config = (1, "gemini_cli.config", {"session.id": "s"})
    batch = request(config, scope="gemini-cli", pid=peer, comm="gemini")
    batch.parsed["resourceLogs"][0]["resource"] = {
        "attributes": [{"key": "process.pid", "value": {"stringValue": str(claimed)}}]
    }
    spine = Spine(vouch=lambda pid, agent: pid in vouched)
    spine.take(batch)
    assert spine.tracker.snapshots()[0].pid == pid


def test_a_negative_duration_does_not_keep_a_turn_open() -> None:
    """A clock was set back while a tool ran."""
    tool = {"session.id": "s", "tool_use_id": "c", "tool_name": "Bash", "duration_ms": -(10**12)}
    call = {"session.id": "s", "model": "m", "query_source": "sdk", "duration_ms": 500}
    spine = Spine()
    spine.take(request(PROMPT, (2, "tool_result", tool), (5, "api_request", call)))
    while (deadline := spine.tracker.deadline()) is not None and deadline < us(1000):
        spine.tracker.tick(deadline)
    assert spine.tracker.snapshots()[0].state == "completed"


def test_a_process_comes_and_goes() -> None:
    spine = Spine()
    spine.process_started(7, us(0), "/home/dev/a")
    spine.take(request(PROMPT, pid=7, comm="claude"))
    assert spine.tracker.snapshots()[0].directory == "/home/dev/a"
    changes = spine.process_exited(7, us(20))
    assert type(changes[-1]).__name__ == "SessionRemoved"
    assert spine.tracker.snapshots() == []


def test_hooks_and_records_tell_of_the_same_session() -> None:
    spine = Spine()
    spine.take_hook("claude", "UserPromptSubmit", "hook", {"session_id": "s", "prompt": "hi"}, us(1))
    spine.take(request(PROMPT))
    spine.take_hook("claude-code", "Stop", "hook", {"session_id": "s", "background_tasks": []}, us(11))
    (shown,) = spine.tracker.snapshots()
    assert (shown.state, shown.turns, shown.evidence) == ("completed", 1, "hook")
