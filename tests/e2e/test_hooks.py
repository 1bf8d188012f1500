"""The real CLIs with telemetry and hooks as `aimond setup` writes them: waits and ends are told as they happen."""

from __future__ import annotations

import pytest

from tests.e2e.monitor import Live
from tests.e2e.scenes import AGENTS, WHOLE_INPUT, Scene, Stage
from tests.e2e.times import measured

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Claude Code calls Notification too if a dialog is open for 6 s (2.1.330): it is no second question.
APPROVED = [
    *(Scene(cli, "tui-approve", hooks="trusted", wait=8) for cli in AGENTS),
    Scene("codex", "tui-approve", hooks="bypassed"),
]
REFUSED = [Scene(cli, scenario, hooks="trusted") for scenario in ("tui-refuse", "tui-deny") for cli in AGENTS]
KILLED = [Scene(cli, "killed", hooks="trusted") for cli in AGENTS]
# Esc before the first logs of the turn: what Gemini CLI's router has answered is known by then, and is no answer.
ESCAPED = [Scene(cli, "tui-esc", hooks="trusted", wait=0.7) for cli in AGENTS]
CUT = [
    *REFUSED,
    *ESCAPED,
    *(Scene(cli, scenario, hooks="trusted") for scenario in ("tui-closed", "interrupt") for cli in AGENTS),
    *KILLED,
]
DONE = [
    *APPROVED,
    *(Scene(cli, scenario, hooks="trusted") for scenario in ("multi", "subagent") for cli in AGENTS),
    Scene("codex", "text", hooks="new"),
]
ASKED = [*APPROVED, *REFUSED]
ALL = [*DONE, *CUT]


def scenes(these: list[Scene]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", these, ids=str)


@scenes(ALL)
async def test_everything_is_told_in_time(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    times = measured(played, story)
    assert times
    assert not [time for time in times if time.is_late], story.moments


@scenes(ALL)
async def test_the_hooks_were_trusted_as_they_should_be(scene: Scene, stage: Stage) -> None:
    """What Codex CLI writes when its user agrees is what we write for scenes in which it does not ask."""
    assert (await stage(scene)).trusted == (scene.hooks == "trusted" or scene.cli != "codex")


@scenes(ASKED)
async def test_a_question_is_told_once(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    (asked,) = [moment for moment in story.moments if moment.state == "waiting"]
    assert asked.by == "hook"
    assert asked.reason.startswith("permission:")
    assert story.attention == [asked.reason]


@scenes(APPROVED)
async def test_an_approved_prompt_goes_back_to_work_and_ends_completed(
    scene: Scene, stage: Stage, aimond: Live
) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    assert [state for state in story.states if state != "idle"] == ["working", "waiting", "working", "completed"]
    assert story.completed[0][0] > played.ends[0]


@scenes(REFUSED)
async def test_a_denied_prompt_ends_the_wait(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    after = story.states[story.states.index("waiting") + 1 :]
    if (
        scene.cli == "gemini"
    ):  # its span tells that nobody waits; that nobody works, its log does up to 5 s later (0.61.0)
        assert after[0] in ("working", "idle")
    else:
        assert after == ["idle"]


@scenes(DONE)
async def test_a_turn_is_completed_once_and_not_before_its_end(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    story = aimond.story(played.session)
    assert [summary["Turn"] for _, summary in story.completed] == list(range(1, len(played.ends) + 1))
    assert all(at > end for (at, _), end in zip(story.completed, played.ends, strict=True))
    # Claude Code's log of the hook may overtake it (2.1.330).
    assert {summary["Evidence"] for _, summary in story.completed} <= {"hook", "log"}
    assert story.properties["Turns"] == len(played.ends)


@scenes(DONE)
async def test_a_summary_tells_the_tokens_of_its_turn_or_none(scene: Scene, stage: Stage, aimond: Live) -> None:
    """A hook is ahead of the records that count."""
    played = await stage(scene)
    told = [summary for _, summary in aimond.story(played.session).completed]
    for summary, answers in zip(told, played.turns, strict=True):
        billed = played.bill(answers)
        assert summary.get("InputTokens") in (None, sum(billed[kind] for kind in WHOLE_INPUT))
        assert summary.get("OutputTokens") in (None, billed["OutputTokens"])


@scenes(CUT)
async def test_a_turn_that_was_cut_is_never_completed(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    assert story.states[:1] == ["working"]
    assert not {"completed", "failed"} & set(story.states)
    assert story.completed == []


@scenes(KILLED)
async def test_a_killed_cli_is_gone_by_the_word_of_the_kernel(scene: Scene, stage: Stage, aimond: Live) -> None:
    assert aimond.story((await stage(scene)).session).removed == "exited"


@scenes([scene for scene in ALL if scene not in ASKED])
async def test_who_asks_nothing_needs_nobody(scene: Scene, stage: Stage, aimond: Live) -> None:
    story = aimond.story((await stage(scene)).session)
    assert "waiting" not in story.states
    assert story.attention == []


@scenes(DONE)
async def test_a_session_is_shown_with_all_that_the_provider_billed(scene: Scene, stage: Stage, aimond: Live) -> None:
    played = await stage(scene)
    shown = [story.properties for session in played.family if (story := aimond.story(session)).properties]
    billed = played.bill(played.answers)
    assert {name: sum(each[name] for each in shown) for name in billed} == billed
    assert sum(each["ModelCalls"] for each in shown) == len(played.answers)
