"""docs/waybar.md and the files beside it say what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from aimond.commands.look import LOOKS
from aimond.commands.top_view import KEYS
from aimond.commands.waybar_text import OFF
from aimond.core.snapshot import State

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "waybar.md").read_text()
CLASSES = {*State, "none", OFF}


def module(text: str) -> dict[str, object]:
    """The module in a configuration, without comments."""
    found = re.search(r'"custom/aimond": (\{.*?\})', re.sub(r"//.*", "", text), re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_the_module_on_the_page_is_that_of_the_ready_configuration() -> None:
    assert module(PAGE) == module((DOCS / "waybar" / "config.jsonc").read_text())


def test_every_class_has_a_style_and_a_row() -> None:
    styled = re.findall(r"#custom-aimond\.(\w+)", (DOCS / "waybar" / "style.css").read_text())
    assert set(styled) == CLASSES
    signs = dict(re.findall(r"^\| `(\w+)` \| (\S?) ?\| ", PAGE, re.MULTILINE))
    assert signs == {name: LOOKS[name].sign if name in LOOKS else "" for name in CLASSES}


def test_every_key_has_a_row() -> None:
    rows = re.findall(r"^\| ([^|`]+) \| ", PAGE[PAGE.index("| key |") :], re.MULTILINE)
    for key in re.findall(r"(?:^| · )(\S+)", KEYS):
        assert any(all(part in row for part in key.strip()) for row in rows), key


def test_pictures_are_small_and_shown_somewhere() -> None:
    pages = "".join(page.read_text() for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"))
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size < 60_000, picture
        assert f"images/{picture.name})" in pages
