"""Real CLIs that are told to log all they can, at work for somebody whose words and ids are canaries: these reach the
monitor, and leave it by no door."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.canaries import CANARY
from tests.daemon.test_canaries import capture, reaches
from tests.desktop.screen import Screen, screen
from tests.e2e.monitor import Live, live
from tests.e2e.places import Place, installed, place, until
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.settings import merge_json_file
from tests.e2e.scenes import AGENTS
from tests.e2e.tap import Tap, tapped

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 30.0  # seconds
# Nobody listens there: what is forwarded stays in the spool.
SETTINGS = '[notifications]\nmin_duration = 0\n[forward]\nendpoint = "http://127.0.0.1:9"\n'
WORDS = {name: f"{CANARY}-{name}" for name in ("prompt", "command", "output", "answer")}
# The command prints a word that is in no other place.
TASK = "[[label:one;bash:echo canary-command; printf %s-%s canary output;text:canary-answer]]"
ID = "c0ffee00-dead-4bee-8bee-0123456789ab"  # of an installation, where its CLI has one


def _claude(home: Path, _front: str) -> None:
    said = dict.fromkeys(("OTEL_LOG_USER_PROMPTS", "OTEL_LOG_TOOL_DETAILS", "OTEL_LOG_TOOL_CONTENT"), "1")
    merge_json_file(home / ".claude" / "settings.json", {"env": said})


def _codex(home: Path, _front: str) -> None:
    file = home / ".codex" / "config.toml"
    file.write_text(file.read_text().replace("[otel]", "[otel]\nlog_user_prompt = true"))


def _gemini(home: Path, front: str) -> None:
    said = {"logPrompts": True, "otlpEndpoint": front, "otlpProtocol": "http"}  # gRPC goes past the tap
    merge_json_file(home / ".gemini" / "settings.json", {"telemetry": said})
    (home / ".gemini" / "installation_id").write_text(ID)


TALKATIVE: dict[str, Callable[[Path, str], None]] = {"claude": _claude, "codex": _codex, "gemini": _gemini}
# What each tells of them in its telemetry (2.1.330, 0.169.0, 0.61.0); hooks tell of prompts, commands and output, too.
TOLD = {
    "claude": [WORDS["prompt"], WORDS["command"], WORDS["answer"]],
    "codex": [WORDS["prompt"], WORDS["command"]],
    "gemini": [WORDS["prompt"], WORDS["command"], WORDS["answer"], ID],
}


@dataclass(frozen=True)
class Watched:
    """A monitor and all that leaves it."""

    aimond: Live
    tap: Tap
    front: str
    state: Path
    traffic: Path
    shown: Screen

    def leaks(self) -> list[str]:
        """Where a canary is."""
        files = {str(file): file.read_bytes() for file in self.state.rglob("*") if file.is_file()}
        told = [repr(story) for story in self.aimond.stories.values()]  # with what Explain said
        doors = {
            **files,
            "bus": self.traffic.read_bytes(),
            "log": "".join(self.aimond.log).encode(),
            "notifications": repr((self.shown.calls, self.shown.told)).encode(),
            "stories": "".join(told).encode(),
        }
        return [door for door, said in doors.items() if CANARY.encode() in said or ID.encode() in said]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    directory = tmp_path_factory.mktemp("watched")
    state, traffic = directory / "state", directory / "traffic"
    async with live(directory, SETTINGS, XDG_STATE_HOME=str(state)) as aimond:
        bus = aimond.environment["DBUS_SESSION_BUS_ADDRESS"]
        with capture(bus, traffic):
            async with screen(bus) as shown, tapped(aimond.http) as (tap, front):
                config, port = directory / "aimond" / "config.toml", aimond.http.rpartition(":")[2]
                config.write_text(config.read_text().replace(f"http_port = {port}", f"http_port = {front}"))
                yield Watched(aimond, tap, f"http://127.0.0.1:{front}", state, traffic, shown)


async def run(here: Place, prompt: str, repository: str) -> None:
    argv = here.argv(*here.cli.headless(prompt, tools=True))
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(*argv, env=here.env, cwd=here.directory(repository), **quiet)
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize("cli", AGENTS)
async def test_no_canary_of_a_real_run_leaves_the_monitor(cli: str, watched: Watched) -> None:
    installed(cli)
    before = len(watched.tap.heard)
    async with place(CLIS[cli], watched.aimond, "nest") as here:
        TALKATIVE[cli](here.home, watched.front)
        await run(here, f"{WORDS['prompt']} {TASK}", "nest")
        session = here.session(here.directory("nest"))
        assert await watched.aimond.until(lambda: watched.aimond.story(session).completed, PATIENCE)
    heard = bytes(watched.tap.heard[before:])
    assert [word for word in TOLD[cli] if word.encode() not in heard] == [], "nothing was at stake"
    assert await until(lambda: sum(file.stat().st_size for file in watched.state.rglob("*.otlp")) > 1000, PATIENCE)
    await reaches(watched.traffic, session.encode())
    assert watched.aimond.story(session).reasons and watched.shown.calls
    assert watched.leaks() == []
