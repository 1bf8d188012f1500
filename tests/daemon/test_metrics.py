"""What Prometheus is told: the tapes' true totals, and examples for who asks for OpenMetrics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aimond.core.change import SessionRemoved, StateChanged
from aimond.core.event import PromptSubmitted, Source
from aimond.core.snapshot import SessionSnapshot, State
from aimond.meter import Meter
from tests.busdaemon import PrivateBus
from tests.daemon.live import Live, live
from tests.recorded import PATHS, name, tape

CHOSEN = ("claude/2.1.330/tui", "codex/0.169.0/custom_hooks", "gemini/0.61.0/tui-steps")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with PrivateBus() as bus:
        yield bus


async def metrics(running: Live, accept: str = "") -> tuple[str, str]:
    headers = {"Accept": accept} if accept else {}
    async with ClientSession() as session, session.get(running.url("/metrics"), headers=headers) as answer:
        return await answer.text(), answer.headers["Content-Type"]


@pytest.mark.parametrize("path", [path for path in PATHS if name(path) in CHOSEN], ids=name)
async def test_tokens_and_money_are_those_of_the_sessions(bus: PrivateBus, path: Path) -> None:
    async with live(bus) as running:
        await running.until_understood(await running.post(tape(path)))
        text, content_type = await metrics(running)
        seen = list(running.seen.values())
    assert content_type.startswith("text/plain")
    used = dict.fromkeys(("input", "cache_read", "cache_write", "tool_prompt", "output"), 0.0)
    for kind, number in re.findall(r'^aimond_tokens_total\{.*type="(\w+)"\} (\S+)$', text, re.MULTILINE):
        used[kind] += float(number)
    assert used["output"] == sum(session["OutputTokens"] for session in seen) > 0
    assert used["cache_read"] == sum(session["CacheReadTokens"] for session in seen)
    cost = sum(map(float, re.findall(r"^aimond_cost_usd_total\{.*\} (\S+)$", text, re.MULTILINE)))
    assert cost == pytest.approx(sum(session.get("Cost", 0) for session in seen if session["CostBasis"] != "unknown"))
    calls = sum(map(float, re.findall(r"^aimond_model_calls_total\{.*\} (\S+)$", text, re.MULTILINE)))
    assert calls == sum(session["ModelCalls"] for session in seen)


async def test_turns_have_a_histogram_with_examples(bus: PrivateBus) -> None:
    path = next(path for path in PATHS if name(path) == "claude/2.1.330/tui")
    async with live(bus) as running:
        await running.until_understood(await running.post(tape(path)))
        text, content_type = await metrics(running, OPEN_METRICS)
        sessions = {session["Id"] for session in running.seen.values()}
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    turns = families["aimond_turn_duration_seconds"].samples
    assert any(sample.value > 0 for sample in turns if sample.name.endswith("_count"))
    examples = [sample.exemplar for sample in turns if sample.exemplar]
    assert examples and {example.labels["session_id"] for example in examples} <= sessions


def test_a_wait_lasts_until_the_session_goes_on() -> None:
    meter = Meter()

    def at(state: State, second: int) -> SessionSnapshot:
        return SessionSnapshot(id="one", agent="codex", state=state, state_since=second * 1_000_000)

    meter.publish([StateChanged(at(State.WAITING, 100), State.WORKING)])
    meter.publish([StateChanged(at(State.WORKING, 107), State.WAITING)])
    meter.publish(
        [StateChanged(at(State.WAITING, 110), State.WORKING), SessionRemoved(at(State.WAITING, 110), "exited")]
    )
    *_, waits = meter.metrics()
    values = {sample.name: sample.value for sample in waits.samples if sample.name.endswith(("_sum", "_count"))}
    assert values == {"aimond_waiting_seconds_count": 1, "aimond_waiting_seconds_sum": 7}


async def test_sessions_that_had_to_go_are_counted(bus: PrivateBus) -> None:
    """However many strangers invent: those shown are bounded, and what is forgotten of others is told."""
    async with live(bus) as running:
        tracker = running.daemon._spine.tracker
        many = 3 * tracker.sessions.kept
        for first in range(0, many, 256):
            now = time.time_ns() // 1000
            prompts = [
                PromptSubmitted(agent="codex", session=f"s{number}", at=now, source=Source.LOG)
                for number in range(first, first + 256)
            ]
            running.daemon._publish(tracker.apply(prompts, now))
        text, _ = await metrics(running)
        shown = len(tracker.shown())
        forgotten = tracker.sessions.dropped
    assert f'aimond_sessions_removed_total{{reason="evicted"}} {many - shown:.1f}' in text
    assert f"aimond_sessions_forgotten_total {forgotten:.1f}" in text
    assert forgotten > tracker.sessions.kept
