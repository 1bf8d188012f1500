"""A monitor that asks for a token hears the real CLIs as `aimond setup` has told them, and nobody else."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from tests.e2e.monitor import Live, live
from tests.e2e.places import installed, said
from tests.e2e.scenes import AGENTS, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")
each_cli = pytest.mark.parametrize("cli", AGENTS)
PATIENCE = 30  # seconds


@dataclass(frozen=True)
class Guarded:
    """That monitor, and its token."""

    aimond: Live
    token: str

    async def requests(self) -> int:
        """How many it has taken."""
        async with ClientSession(headers={"x-aimond-token": self.token}) as session:  # noqa: SIM117
            async with session.get(f"{self.aimond.http}/metrics") as answer:
                assert answer.status == 200
                taken = re.findall(r"^aimond_requests_total{.*} (\S+)$", await answer.text(), re.MULTILINE)
        return round(sum(map(float, taken)))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    """As its user makes it: `aimond setup --token`, and then the monitor."""
    directory = tmp_path_factory.mktemp("guarded")
    home = {"HOME": str(directory / "home"), "PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(directory)}
    await said(sys.executable, "-m", "aimond", "setup", "claude", "--token", env=home)
    file = directory / "aimond" / "token"
    assert file.stat().st_mode & 0o777 == 0o600
    async with live(directory) as aimond:
        yield Guarded(aimond, file.read_text().strip())


@each_cli
async def test_a_cli_that_setup_has_told_the_token_is_heard(cli: str, guarded: Guarded, tmp_path: Path) -> None:
    """By its telemetry: hooks, which need no token, tell of no tokens."""
    installed(cli)
    before = await guarded.requests()
    played = await Scene(cli, "text", hooks="trusted").play(guarded.aimond, tmp_path)
    billed = played.bill(played.answers)

    def told() -> dict[str, int]:
        properties = guarded.aimond.story(played.session).properties
        return {name: properties.get(name, -1) for name in billed}

    assert await guarded.aimond.until(lambda: told() == billed, PATIENCE), (told(), billed, guarded.aimond.log)
    assert sum(billed.values()) > 0
    assert await guarded.requests() > before


@each_cli
async def test_a_cli_that_does_not_know_the_token_is_not_heard_and_works_all_the_same(
    cli: str, guarded: Guarded, tmp_path: Path
) -> None:
    installed(cli)
    before = await guarded.requests()
    played = await Scene(cli, "text").play(guarded.aimond, tmp_path)
    assert played.answers
    assert played.session not in guarded.aimond.stories
    assert await guarded.requests() == before
