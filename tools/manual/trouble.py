"""docs/troubleshooting.md: everything that ``aimond doctor`` can find, in its own words, with what is behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from aimond.commands.doctor_facts import Finding, Severity
from manual.pages import ROOT
from manual.scenes import SCENES, Scene, said

WIDTH: Final = 120
SOURCE: Final = ROOT / "tools" / "manual" / "trouble.md"


def markdown() -> str:
    """The page: trouble.md, with the findings where it says so."""
    page = SOURCE.read_text().replace("(../../docs/", "(")
    for area in dict.fromkeys(scene.area for scene in SCENES):
        told = [entry(scene) for scene in SCENES if scene.area == area]
        page = page.replace(f"<!-- {area} -->", "\n\n".join(told))
    return page


def entry(scene: Scene) -> str:
    """What doctor says there, why, and what it says to do."""
    found = list(_new(scene))
    lines = [f"### {scene.title}"]
    lines.append("```\n" + "\n".join(f"{each.severity:<5}  {each.about:<14}  {each.what}" for each in found) + "\n```")
    lines.append(_wrapped(f"**Why:** {scene.why}"))
    todos = list(dict.fromkeys(each.todo for each in found if each.todo))
    lines += [_wrapped(f"**Doctor says:** {todo}.") for todo in todos] or [_wrapped(f"**To do:** {scene.todo}.")]
    return "\n\n".join(lines)


def _new(scene: Scene) -> Iterator[Finding]:
    """What is to be explained: not that the rest is well."""
    yield from (each for each in said(scene) if each.severity is not Severity.OK and each.about == scene.about)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
