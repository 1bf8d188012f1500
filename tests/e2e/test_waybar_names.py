"""A real Waybar that is told of sessions with any names; the picture of it in the manual comes from here."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from aimond.bus.service import Service
from aimond.core.change import Totals
from aimond.core.snapshot import Basis, State
from tests.bus.standin import NOW, Standin
from tests.e2e.bar import MIDDLE, Bar, a_bar, colour
from tests.e2e.headless import until
from tests.e2e.wayland import Picture

STRANGE = {
    "markup": "<b>bold</b> & <span foreground='red'>&lt; </tt>",
    "broken markup": "<span <b </ &#0; &nosuch; ]]>",
    "control characters": "a\x00b\x1b[31mc\nd\te\u2028f\x07",
    "right to left": "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd \u2067\u0645\u0631\u062d\u0628\u0627",
    "marks": "z" + "\u0301\u0489" * 300,
    "wide": "\u4e16\u754c" * 200,
    "quotes": "\"'\\\\ \\u0000 %s {} {0}",
    "surrogates": "\ud83d \udc00",
    "10 kB": "x" * 10_000,
    "10 kB of markup": "<" * 10_000,
}

# Agent, project, state, minutes in it, tokens, USD.
SCENE = (
    ("claude-code", "shop", State.WAITING, 2, 51_300, "0.84"),
    ("codex", "parser", State.COMPLETED, 9, 122_900, None),
    ("claude-code", "website", State.WORKING, 4, 1_319_400, "2.15"),
    ("gemini-cli", "notes", State.WORKING, 1, 12_200, None),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Bar, Service, Standin]]:
    """A bar, and a service that tells what the test says."""
    with a_bar(tmp_path) as bar:
        source = Standin()
        service = Service(source, bar.environment["DBUS_SESSION_BUS_ADDRESS"])
        await service.start()
        bar.start_bar()
        yield bar, service, source
        await service.close()


async def pointed_at(bar: Bar, state: str, keep_as: str, part: str) -> Picture:
    """The screen with the tooltip."""
    first, last = await asyncio.to_thread(bar.shows, state)

    def look() -> Picture:
        below = bar.picture().row(60)
        with bar.pointer() as pointer:
            pointer.move((first + last) // 2, MIDDLE)
            until(lambda: bar.picture().row(60) != below, "a tooltip")
            return bar.picture(keep_as, part)

    return await asyncio.to_thread(look)


@pytest.mark.parametrize("name", STRANGE)
async def test_no_name_breaks_the_bar(stage: tuple[Bar, Service, Standin], name: str) -> None:
    bar, service, source = stage
    service.publish(source.add("first", state=State.WORKING))
    await asyncio.to_thread(bar.shows, "working")
    words = dict.fromkeys(("project", "model", "reason", "title", "last_error"), STRANGE[name])
    service.publish(source.add("second", agent=STRANGE[name], state=State.WAITING, state_since=NOW, **words))
    picture = await pointed_at(bar, "waiting", f"name-{name.replace(' ', '-')}", "0,0 1280x160")
    span = picture.stretch(colour("waiting"), 2)
    assert span is not None
    assert span[1] - span[0] < 150
    service.publish(source.remove(session_id="second", agent=STRANGE[name]))
    await asyncio.to_thread(bar.shows, "working")
    assert bar.waybar.poll() is None
    # GTK leaves a label empty whose markup it cannot read, and says so.
    assert re.findall(r"-(?:WARNING|CRITICAL) \*\*.*", (bar.directory / "waybar.log").read_text()) == []
    below = picture.row(60)
    assert sum(pixel != below[0] for pixel in below) > 300, "an empty tooltip"


async def test_the_picture_of_the_manual(stage: tuple[Bar, Service, Standin]) -> None:
    bar, service, source = stage
    now = int(time.time() * 1_000_000)
    source.used = Totals(Decimal("7.42"), Basis.PARTIAL, Decimal("61.10"), 5_310_000)
    for number, (agent, project, state, minutes, tokens, cost) in enumerate(SCENE):
        service.publish(
            source.add(
                f"s{number}",
                agent,
                project=project,
                state=state,
                state_since=now - minutes * 60_000_000,
                input_tokens=tokens,
                cost=Decimal(cost) if cost else None,
                cost_basis=Basis.REPORTED if cost else Basis.UNKNOWN,
            )
        )
    picture = await pointed_at(bar, "waiting", "bar-tooltip", "370,0 540x190")
    assert picture.stretch(colour("waiting"), 2)
