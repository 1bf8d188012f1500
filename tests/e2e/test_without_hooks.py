"""The real CLIs with telemetry alone: less is known, and later, but nothing wrong is said."""

from __future__ import annotations

import pytest

from tests.e2e.monitor import Live
from tests.e2e.scenes import AGENTS, Scene, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Seconds that a dialog stays open, longer than any patience that ends in "quiet".
OPEN = 60
APPROVED = [Scene(cli, "tui-approve", wait=OPEN) for cli in AGENTS]
REFUSED = [Scene(cli, "tui-deny", wait=OPEN) for cli in AGENTS]
DONE = [*APPROVED, *(Scene(cli, "subagent") for cli in AGENTS)]
CUT = [*REFUSED, *(Scene(cli, "interrupt") for cli in AGENTS)]
ASKED = [*APPROVED, *REFUSED]
ALL = [*DONE, *CUT]


def scenes(these: list[Scene]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", these, ids=str)


@scenes(ALL)
async def test_nobody_is_said_to_wait(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    assert story.states
    assert "waiting" not in story.states
    assert not any(reason.startswith("permission") for reason in story.attention)


@scenes(ASKED)
async def test_an_open_dialog_looks_quiet(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    (asked,), (answered,) = played.marks("approval_asked"), played.marks("approved", "denied")
    meanwhile = [moment for moment in aimond.story(played.session).moments if asked < moment.at < answered]
    assert [moment.state for moment in meanwhile][-1:] == ["quiet"]
    assert {moment.state for moment in meanwhile} <= {"working", "quiet"}


@scenes(DONE)
async def test_a_turn_is_completed_once_and_not_before_its_end(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    ((at, summary),) = story.completed
    assert summary["Turn"] == 1
    assert at > played.ends[0]
    # Its terminal may be gone before the proof comes: then only SessionCompleted tells.
    assert all(moment.at > played.ends[0] for moment in story.moments if moment.state == "completed")


@scenes(CUT)
async def test_a_turn_that_was_cut_is_never_completed(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    assert story.completed == []
    assert not {"completed", "failed"} & set(story.states)


@scenes(ALL)
async def test_the_tokens_are_those_that_the_provider_billed(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    shown = [story.properties for session in played.family if (story := aimond.story(session)).properties]
    billed = played.bill(played.answers)
    assert {name: sum(each[name] for each in shown) for name in billed} == billed
