"""The real CLIs work against mocks of their model APIs, and a live aimond says on the bus what they did."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.monitor import Live, Story
from tests.e2e.scenes import AGENTS, WHOLE_INPUT, Played, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Spans leave a CLI up to 5 s late, and where none tells the end of a turn, silence does after 10 s.
PATIENCE = 20

SLOW = [Scene(cli, "tui-idle-exit") for cli in AGENTS]
FAILING = {
    Scene("gemini", "error429"): "rate_limit",
    Scene("claude", "error429"): "rate_limit",
    Scene("codex", "error429"): "rate_limit",
    Scene("claude", "error401"): "auth",
    Scene("gemini", "error401"): "auth",
}  # Codex gives up within a second after a 401, and then says nothing at all (0.169.0)
CUT = [Scene(cli, scenario) for scenario in ("interrupt", "killed") for cli in AGENTS]
CUT.remove(Scene("gemini", "killed"))  # its first words leave it after 5 s (0.61.0)
DONE = [
    *SLOW,
    *(Scene(cli, scenario) for scenario in ("error500-then-ok", "multi", "tool", "text") for cli in AGENTS),
    *(Scene(cli, "text", "grpc") for cli in AGENTS),
]


def scenes(these: Iterable[Scene]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", list(these), ids=str)


async def told(aimond: Live, played: Played) -> Story:
    """The story of a session, once every turn of its was told to be completed."""
    turns = len(played.turns)
    assert turns
    done = await aimond.until(lambda: len(aimond.story(played.session).completed) >= turns, PATIENCE)
    story = aimond.story(played.session)
    assert done, (story, aimond.log)
    return story


@scenes(DONE)
async def test_a_session_is_shown_with_its_agent_and_model(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    shown = (await told(aimond, played)).properties
    assert (shown["Agent"], shown["Model"]) == (AGENTS[scene.cli], played.turns[-1][-1]["model"])


@scenes(DONE)
async def test_its_tokens_are_those_that_the_provider_billed(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = await told(aimond, played)
    await aimond.until(lambda: story.properties["ModelCalls"] >= len(played.answers), PATIENCE)
    billed = played.bill(played.answers)
    assert {name: story.properties[name] for name in billed} == dict(billed)
    assert story.properties["ModelCalls"] == len(played.answers)


@scenes(DONE)
async def test_a_completed_turn_is_told_with_what_it_used(
    scene: Scene, stage: Stage, aimond: Live, delays: dict[str, float]
) -> None:
    played = await stage(scene)
    completed = (await told(aimond, played)).completed
    for number, ((at, summary), answers) in enumerate(zip(completed, played.turns, strict=False), 1):
        delays[f"{scene} turn {number} by {summary['Evidence']}"] = (at - answers[-1]["end_ns"]) / 1e9
    for number, ((_, summary), answers) in enumerate(zip(completed, played.turns, strict=True), 1):
        billed = played.bill(answers)
        assert (summary["Turn"], summary["Confidence"]) == (number, "exact")
        assert summary["InputTokens"] == sum(billed[kind] for kind in WHOLE_INPUT)
        assert summary["OutputTokens"] == billed["OutputTokens"]


@scenes(FAILING)
async def test_a_turn_that_the_provider_refused_has_failed(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    assert played.refused
    failed = await aimond.until(lambda: "failed" in aimond.story(played.session).states, PATIENCE)
    story = aimond.story(played.session)
    assert failed, (story, aimond.log)
    assert (story.properties["Agent"], story.properties["LastErrorClass"]) == (AGENTS[scene.cli], FAILING[scene])
    assert story.attention == [FAILING[scene]]
    assert story.properties["Errors"] >= 1


@scenes(CUT)
async def test_a_turn_that_was_cut_was_under_way(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    await aimond.until(lambda: "working" in aimond.story(played.session).states, PATIENCE)
    story = aimond.story(played.session)
    assert story.states[:1] == ["working"]
    assert story.properties["OutputTokens"] == 0 or scene.cli == "gemini"


@scenes([*DONE, *FAILING, *CUT])
async def test_at_the_end_each_turn_was_told_once(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    assert [summary["Turn"] for _, summary in story.completed] == list(range(1, len(played.turns) + 1))
    assert ("failed" in story.states) == (scene in FAILING)
