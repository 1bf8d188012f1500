"""At the start nobody knows yet what is looked at: how long that is waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from aimond.core.snapshot import SessionSnapshot
from aimond.desktop.focus import ORIENTATION, Focus
from aimond.desktop.sway import Sway
from aimond.process import trail
from tests.bus.standin import Standin

SESSION = SessionSnapshot(id="one", agent="codex")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SWAYSOCK", "I3SOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@asynccontextmanager
async def followed() -> AsyncIterator[Focus]:
    focus = Focus(Sway(), trail, cast("Any", Standin()), cast("Any", None))
    running = asyncio.ensure_future(focus.run())
    yield focus
    running.cancel()
    await asyncio.wait([running])


async def seconds(focus: Focus) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert focus.may_be_looked_at(SESSION), "it is not known before"
    assert not await focus.looked_at(SESSION)
    assert not focus.may_be_looked_at(SESSION)
    return loop.time() - began


async def test_where_there_is_no_desktop_to_follow_nobody_waits() -> None:
    async with followed() as focus:
        assert await seconds(focus) < ORIENTATION


async def test_one_that_does_not_answer_is_not_waited_for_long(runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hangs:
        hangs.bind(str(runtime / "sway-ipc.1000.1.sock"))
        hangs.listen()
        async with followed() as focus:
            assert await asyncio.wait_for(seconds(focus), 10) >= ORIENTATION * 0.9
