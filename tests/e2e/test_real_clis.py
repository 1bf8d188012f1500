"""The real CLIs work against mocks of their model APIs, and a live aimond says on the bus what they did."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.e2e.monitor import Live, Story
from tests.e2e.scenes import AGENTS, WHOLE_INPUT, Played, Scene, Stage
from tests.e2e.times import Table, Time

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Seconds. Codex says of its last try nothing (0.169.0): aimond waits 20 s for another one.
PATIENCE = 30

FAILING = {
    Scene("gemini", "error429"): "rate_limit",
    Scene("claude", "error429"): "rate_limit",
    Scene("codex", "error429"): "rate_limit",
    Scene("claude", "error401"): "auth",
    Scene("gemini", "error401"): "auth",
}  # after a 401 Codex gives up within a second, and then says nothing at all (0.169.0)
DONE = [
    *(Scene(cli, name) for name in ("tui-idle-exit", "error500-then-ok", "multi", "tool", "text") for cli in AGENTS),
    *(Scene(cli, "text", "grpc") for cli in AGENTS),
]
CUT = [
    *(Scene(cli, "interrupt") for cli in AGENTS),
    *(Scene(cli, "killed") for cli in ("claude", "codex")),
]  # after 2 s nothing has left Gemini CLI (0.61.0)
ALL = [*FAILING, *DONE, *CUT]


def scenes(these: Iterable[Scene]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", list(these), ids=str)


async def told(aimond: Live, played: Played) -> Story:
    """The story of a session, once every turn that was completed was told."""
    turns = len(played.turns)
    done = await aimond.until(lambda: len(aimond.story(played.session).completed) >= turns > 0, PATIENCE)
    story = aimond.story(played.session)
    assert done, (story, aimond.log)
    return story


@scenes(ALL)
async def test_a_session_is_shown_with_the_tokens_that_the_provider_billed(
    scene: Scene, stage: Stage, aimond: Live
) -> None:
    played = await stage(scene)
    calls = len(played.answers)
    shown = await aimond.until(lambda: aimond.story(played.session).properties.get("ModelCalls", -1) >= calls, PATIENCE)
    story = aimond.story(played.session)
    assert shown, (story, aimond.log)
    billed = played.bill(played.answers)
    assert {name: story.properties[name] for name in billed} == billed
    assert story.properties["ModelCalls"] == calls
    assert story.properties["Agent"] == AGENTS[scene.cli]


@scenes(DONE)
async def test_a_turn_is_told_to_be_completed(scene: Scene, stage: Stage, aimond: Live, times: Table) -> None:
    played = await stage(scene)
    story = await told(aimond, played)
    for number, ((at, summary), answers) in enumerate(zip(story.completed, played.turns, strict=True), 1):
        late = (at - answers[-1]["end_ns"]) / 1e9
        times.note(scene, [Time(f"end of the answer → completed, by {summary['Evidence']}", late)])
        assert summary["Turn"] == number
        # On a busy machine one Codex in thirty exits before the span of its turn has left it (0.169.0).
        assert summary["Confidence"] == "exact" or scene.cli == "codex"
    assert story.properties["Model"] == played.turns[-1][-1]["model"]


@scenes(DONE)
async def test_a_completed_turn_is_told_with_all_that_it_used(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = await told(aimond, played)
    for (_, summary), answers in zip(story.completed, played.turns, strict=True):
        billed = played.bill(answers)
        assert summary["InputTokens"] == sum(billed[kind] for kind in WHOLE_INPUT)
        assert summary["OutputTokens"] == billed["OutputTokens"]


@scenes(FAILING)
async def test_a_turn_that_the_provider_refused_has_failed(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    assert played.refused
    failed = await aimond.until(lambda: "failed" in aimond.story(played.session).states, PATIENCE)
    story = aimond.story(played.session)
    assert failed, (story, aimond.log)
    assert story.attention == [FAILING[scene]]
    assert story.properties["LastErrorClass"] == FAILING[scene]
    assert 1 <= story.properties["Errors"] <= len(played.refused)


@scenes(CUT)
async def test_a_turn_that_was_cut_was_under_way_and_needs_nobody(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    assert await aimond.until(lambda: aimond.story(played.session).states, PATIENCE), aimond.log
    story = aimond.story(played.session)
    assert story.states in (["working"], ["working", "idle"])
    assert story.attention == []


@scenes(ALL)
async def test_at_the_end_each_turn_was_told_once(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    assert [summary["Turn"] for _, summary in story.completed] == list(range(1, len(played.turns) + 1))
    assert story.states.count("failed") == (scene in FAILING)
