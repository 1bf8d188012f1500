"""How late things were told of a scene: for the tests, for their table, and to tell a machine that was too busy."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.e2e.monitor import Moment, Story
from tests.e2e.scenes import Played, Scene

# Seconds. What aimond, the hook program and the bus may take. The kernel tells of an exit, and the driver marks it when
# its event loop has reaped the process.
SHARE = 0.3
EXIT = 0.1
# How long after AfterAgent the span or the answer's record may come that tells how a turn of Gemini CLI ended.
OUTCOME = 6.0
# From a key press until its first evidence is sent, at the latest; to react takes all of them up to 0.2 s. Claude Code
# exports logs (``tool_decision``) and spans (``interaction``) each 0.5 s. Codex CLI exports logs each second
# (``codex.tool_decision``), and calls the hook Interrupt. Gemini CLI calls AfterTool when the tool is done, which takes
# 2 s here, exports spans each 0.3 s, and calls AfterAgent where there was no question.
EVIDENCE = {
    ("claude", "approved"): 0.7,
    ("claude", "refused"): 0.7,
    ("claude", "denied"): 0.7,
    ("claude", "escape"): 0.7,
    ("codex", "approved"): 1.2,
    ("codex", "refused"): 0.2,
    ("codex", "denied"): 0.2,
    ("codex", "escape"): 0.2,
    ("gemini", "approved"): 2.5,
    ("gemini", "refused"): 0.5,
    ("gemini", "denied"): 0.5,
    ("gemini", "escape"): 0.2,
}
ANSWERS = ("approved", "refused", "denied", "escape")


@dataclass(frozen=True)
class Time:
    """A measured time in seconds, and how much it may be; no ``limit``: it is told, but not judged."""

    what: str
    seconds: float
    limit: float | None = None

    @property
    def is_late(self) -> bool:
        return self.limit is not None and self.seconds > self.limit


def measured(played: Played, story: Story) -> list[Time]:
    """All that can be measured of a scene with hooks."""
    times = [*_questions(played, story), *_answers(played, story), *_completions(played, story)]
    if story.removed and (exits := played.marks("exit")):
        told = (story.removed_at - exits[-1]) / 1e9
        limit = EXIT if played.scene.scenario == "killed" else SHARE
        times.append(Time(f"exit → removed ({story.removed})", told, limit))
    return times


def _questions(played: Played, story: Story) -> Iterator[Time]:
    """From the hook, and from the dialog on the screen, to ``waiting``."""
    for moment in story.moments:
        if moment.state == "waiting":
            yield Time("hook → waiting", (moment.at - moment.since) / 1e9, SHARE)
            for seen in played.marks("approval_asked"):
                yield Time("dialog seen on the screen → waiting", (moment.at - seen) / 1e9)


def _answers(played: Played, story: Story) -> Iterator[Time]:
    """From the key that ended a question or a turn to what came of it."""
    ways = {way: pressed for way in ANSWERS for pressed in played.marks(way)}
    for before, moment in pairwise(story.moments):
        for way, pressed in ways.items():
            if before.at < pressed < moment.at:
                # Whatever ended the wait, work is told of by what the turn began with.
                by = f", by {moment.by}" if moment.state != "working" else ""
                limit = EVIDENCE[played.scene.cli, way] + SHARE
                yield Time(f"{way} → {moment.state}{by}", (moment.at - pressed) / 1e9, limit)
                for known in _known(story, moment):
                    yield Time("evidence of that → told", (moment.at - known) / 1e9, SHARE)


def _known(story: Story, moment: Moment) -> list[int]:
    """When aimond was told what made it say that, ns since the epoch; empty if the session was gone too soon to ask."""
    times = [int(reason["Time"]) * 1000 for reason in story.reasons if reason["State"] == moment.state]
    return [max(earlier)] if (earlier := [at for at in times if at <= moment.at]) else []


def _completions(played: Played, story: Story) -> Iterator[Time]:
    """From the hook that ended a turn, and from the end of its last answer, to SessionCompleted."""
    for (at, summary), end in zip(story.completed, played.ends, strict=False):
        yield Time(f"end of the answer → completed, by {summary['Evidence']}", (at - end) / 1e9)
        over = [moment for moment in story.moments if end < moment.since <= moment.at <= at and moment.by == "hook"]
        for moment in over[:1]:
            if played.scene.cli == "gemini":  # whose hook tells that, but not how
                yield Time("hook → over", (moment.at - moment.since) / 1e9, SHARE)
                yield Time("hook → completed", (at - moment.since) / 1e9, OUTCOME)
            else:
                yield Time("hook → completed", (at - moment.since) / 1e9, SHARE)


class Table:
    """All measured times, by CLI."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[tuple[Time, Scene]]] = {}

    def note(self, scene: Scene, times: Iterable[Time]) -> None:
        """Add those of a scene."""
        for time in times:
            self._times.setdefault((time.what, scene.cli), []).append((time, scene))

    def lines(self) -> Iterator[str]:
        """The table, a line for each kind of time and CLI."""
        if self._times:
            yield f"{'':52} {'':6} {'n':>3} {'median':>8} {'worst':>8} {'limit':>6}"
        for (what, cli), times in sorted(self._times.items()):
            worst, scene = max(times, key=lambda pair: pair[0].seconds)
            median = statistics.median(time.seconds for time, _ in times)
            limit = "" if worst.limit is None else f"{worst.limit:.1f}"
            yield f"{what:52} {cli:6} {len(times):3} {median:8.3f} {worst.seconds:8.3f} {limit:>6} {scene}"
