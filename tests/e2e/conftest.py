"""One aimond for all scenes, as on a desktop; the scenes that the chosen tests ask for are played side by side.

A scene in which something with hooks came too late is played once more: the machine may have been busy."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.login import Login
from tests.e2e.monitor import Live, live
from tests.e2e.realcli.clis import CLIS
from tests.e2e.realcli.install import default_cache, install
from tests.e2e.scenes import Played, Scene, Stage
from tests.e2e.service import at_rest, installed
from tests.e2e.times import Table, measured

# Scenes wait more than they work: the CLIs for the mock, the mock for the clock. Some do nothing but wait.
SIDE_BY_SIDE = (os.cpu_count() or 1) + 1
PATIENT = 30.0  # seconds
NEEDED = {"node": "nodejs (20 or newer)", "npm": "npm", "dbus-daemon": "dbus-daemon"}
TIMES = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TIMES] = Table()


@pytest.fixture(scope="session")
def clis(request: pytest.FixtureRequest) -> None:
    """The CLIs that the chosen tests ask for, installed."""
    for program, package in NEEDED.items():
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"install {package}")
    for name in {scene.cli for scene in _chosen(request.session)}:
        assert install(CLIS[name], default_cache()), f"npm could not install {CLIS[name].package}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def aimond(clis: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """A live aimond."""
    async with live(tmp_path_factory.mktemp("aimond")) as monitor:
        yield monitor


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(
    request: pytest.FixtureRequest, aimond: Live, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """Gives a scene's outcome once it is played; all of them start as soon as there is room."""
    rooms = {patient: asyncio.Semaphore(SIDE_BY_SIDE) for patient in (False, True)}

    async def play(scene: Scene) -> Played:
        async with rooms[(scene.wait or 0) >= PATIENT]:
            played = await scene.play(aimond, tmp_path_factory.mktemp(str(scene)))
            if not scene.hooks:
                return played
            if any(time.is_late for time in measured(played, aimond.story(played.session))):
                played = await scene.play(aimond, tmp_path_factory.mktemp(f"{scene}-again"))
            table.note(scene, measured(played, aimond.story(played.session)))
            return played

    table = request.config.stash[TIMES]
    playing = {scene: asyncio.create_task(play(scene)) for scene in _chosen(request.session)}
    yield playing.__getitem__
    for task in playing.values():
        task.cancel()
    await asyncio.gather(*playing.values(), return_exceptions=True)


@pytest.fixture(scope="module")
def desk() -> Iterator[Login]:
    """A login where aimond is installed as a service; one for all tests of a file."""
    with installed() as login:
        yield login


@pytest.fixture
def login(desk: Login) -> Login:
    """The same, at rest."""
    return at_rest(desk)


def _chosen(session: pytest.Session) -> list[Scene]:
    """The scenes of the tests that were not deselected, each once, in their order."""
    items = (item for item in session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    scenes = (item.callspec.params.get("scene") for item in items)
    return list(dict.fromkeys(scene for scene in scenes if isinstance(scene, Scene)))


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Table:
    """What was measured; it is printed at the end."""
    return request.config.stash[TIMES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := list(config.stash[TIMES].lines()):
        terminalreporter.section("how late, in seconds")
        for line in lines:
            terminalreporter.line(line)
