"""A real trace store, fed by a desktop's forwarding, once directly and once through the collector: the same questions
find the sessions of all three CLIs, of tapes and of the CLIs themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scenes import AGENTS, LEDGERS, Played
from tests.pipeline.conftest import collecting, post
from tests.pipeline.desktop import Desktop, desktop
from tests.pipeline.jaeger import TraceStore, trace_store
from tests.pipeline.playing import play
from tests.pipeline.records import Request, failed_call_of_codex, happening_now
from tests.pipeline.running import until
from tests.pipeline.sink import sink
from tests.recorded import PATHS, name

KIND, SESSION, AGENT, COST = "openinference.span.kind", "session.id", "gen_ai.agent.name", "gen_ai.usage.cost_usd"
INPUT, OUTPUT, ERROR = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "error.type"
WHOLE = ("InputTokens", "CacheReadTokens", "CacheWriteTokens")
CLIS = {"claude-code", "codex", "gemini-cli"}
TAPES = (
    "claude/2.1.330/subagent",
    "claude/2.1.330/tui",
    "claude/2.1.330/error500",
    "codex/0.169.0/custom_hooks",
    "codex/0.169.0/tui",
    "codex/0.169.0/error401",
    "gemini/0.61.0/tui-steps",
    "gemini/0.61.0/err429",
)
# The classes of failures that spans of each CLI tell of.
FAILED = {
    "tapes": {"claude-code": "server", "codex": "server", "gemini-cli": "rate_limit"},
    "real CLIs": {"claude-code": "rate_limit", "codex": "server", "gemini-cli": "rate_limit"},
}
FORWARD = '[forward]\nendpoint = "{url}"\nlinger = 2\n'


@dataclass(frozen=True)
class Scene:
    source: str
    store: TraceStore
    desktop: Desktop
    played: list[Played] = field(default_factory=list)

    def calls(self, **tags: str) -> list[dict[str, Any]]:
        return self.store.spans(**{KIND: "LLM", **tags})


@pytest.fixture(scope="module", params=["tapes", "real CLIs"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["directly", "through the collector"])
def scene(request: pytest.FixtureRequest, source: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("store")
    with ExitStack() as machines:
        traces = machines.enter_context(trace_store(directory / "store"))
        upstream = traces.otlp
        if request.param != "directly":
            logs = machines.enter_context(sink())
            backends = {"AIMOND_TEMPO_URL": traces.otlp, "AIMOND_LOKI_URL": logs.url}
            running = machines.enter_context(collecting(directory / "collector", **backends))
            upstream = f"http://127.0.0.1:{running.aimond}"
        aimond = machines.enter_context(desktop(directory / "desktop", FORWARD.format(url=upstream)))
        yield (taped if source == "tapes" else real)(traces, aimond, directory)


def taped(traces: TraceStore, aimond: Desktop, directory: Path) -> Scene:
    played = [each for path in PATHS if name(path) in TAPES for each in happening_now(path)]
    played.append(failed_call_of_codex())
    post(aimond.port, played)
    scene, wanted = Scene("tapes", traces, aimond), set(_llm_spans(played))

    def all_there() -> bool:
        calls, turns = sessions(scene.calls()), sessions(traces.spans(**{KIND: "AGENT"}))
        return wanted <= set().union(*calls.values()) and calls.keys() == turns.keys() == CLIS

    until(all_there, "sessions are missing")
    return scene


def real(traces: TraceStore, aimond: Desktop, directory: Path) -> Scene:
    scene = Scene("real CLIs", traces, aimond, play(aimond.url, directory / "played"))
    answers = sum(len(played.answers) for played in scene.played)
    until(lambda: len(answered(scene.calls())) >= answers, f"there are not {answers} calls")
    return scene


def _llm_spans(requests: list[Request]) -> Iterator[str]:
    """Sessions that name themselves on the span of a call; Codex's do not."""
    for signal, message in requests:
        for of_resource in message.resource_spans if signal == "traces" else ():
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    attributes = {pair.key: pair.value.string_value for pair in span.attributes}
                    if span.name in ("claude_code.llm_request", "llm_call"):
                        yield attributes.get(SESSION) or attributes["gen_ai.conversation.id"]


def answered(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for call in calls if ERROR not in call]


def sessions(spans: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The sessions of each CLI."""
    found: dict[str, set[str]] = {}
    for span in spans:
        found.setdefault(span[AGENT], set()).add(span.get(SESSION, ""))
    return found


def test_model_calls_are_found_by_one_kind(scene: Scene) -> None:
    calls = scene.calls()
    assert sessions(calls).keys() == CLIS
    assert all(call[SESSION] for call in calls)


def test_a_session_is_found_by_its_id(scene: Scene) -> None:
    for cli, ids in sessions(scene.store.spans(**{KIND: "AGENT"})).items():
        for each in ids:
            spans = scene.store.spans(**{SESSION: each})
            assert {span[AGENT] for span in spans} == {cli}
            assert "AGENT" in {span[KIND] for span in spans}


def test_calls_are_found_by_model(scene: Scene) -> None:
    models = {call["gen_ai.request.model"]: call[AGENT] for call in answered(scene.calls())}
    assert set(models.values()) == CLIS
    for model, cli in models.items():
        assert {span[AGENT] for span in scene.calls(**{"gen_ai.request.model": model})} == {cli}


def test_failures_are_found_by_class(scene: Scene) -> None:
    for cli, error in FAILED[scene.source].items():

        def found(cli: str = cli, error: str = error) -> set[str]:
            return sessions(scene.store.spans(**{ERROR: error})).get(cli, set()) - {""}

        assert until(found, f"no {error} of {cli}")


def test_dear_calls_are_found_by_cost(scene: Scene) -> None:
    dear = [call for call in scene.calls() if float(call.get(COST, 0)) > 0.0001]
    assert sessions(dear).keys() == CLIS
    assert all(call[INPUT] > 0 for call in answered(dear))


# -- against what really happened -------------------------------------------------------------------


@pytest.mark.parametrize("source", ["real CLIs"], indirect=True)
def test_the_sessions_found_are_those_the_clis_had(scene: Scene) -> None:
    for cli, agent in AGENTS.items():
        mine = [played for played in scene.played if played.scene.cli == cli and played.answers]
        assert len(mine) >= 2
        assert {played.session for played in mine} <= sessions(scene.calls())[agent]
        assert set().union(*(played.family for played in mine)) >= {
            call[SESSION] for call in answered(scene.calls()) if call[AGENT] == agent
        }


@pytest.mark.parametrize("source", ["real CLIs"], indirect=True)
def test_each_call_is_there_once_with_the_tokens_that_the_provider_billed(scene: Scene) -> None:
    for played in scene.played:
        if played.answers:
            calls = answered(scene.calls(**{SESSION: played.session}))
            bills = [LEDGERS[played.scene.cli](row["usage"]) for row in played.answers]
            billed = [(sum(bill.get(kind, 0) for kind in WHOLE), bill["OutputTokens"]) for bill in bills]
            assert sorted((call[INPUT], call[OUTPUT]) for call in calls) == sorted(billed), played.scene


@pytest.mark.parametrize("source", ["real CLIs"], indirect=True)
def test_spans_cost_what_history_says(scene: Scene) -> None:
    used = scene.desktop.used("session")
    for played in scene.played:
        if played.answers:
            costs = [call[COST] for call in answered(scene.calls(**{SESSION: played.session}))]
            row = used[played.session]
            assert len(costs) == row["calls"]
            assert sum(costs) == pytest.approx(float(row["cost"]), abs=1e-6), played.scene
