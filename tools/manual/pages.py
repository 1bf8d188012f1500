"""Pages of markdown, taken apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"


def sections(markdown: str, level: int = 2) -> dict[str, str]:
    """What stands under each heading of a level, by the heading; under "" what is before the first, without a title."""
    found: dict[str, list[str]] = {"": []}
    title, code = "", False
    for line in markdown.splitlines(keepends=True):
        code ^= line.startswith("```")
        if not code and (heading := re.match(rf"#{{{level}}} (.*)", line)):
            title = heading[1].strip()
            found[title] = []
        elif code or not (title == "" and line.startswith("# ")):
            found[title].append(line)
    return {title: "".join(lines).strip() + "\n" for title, lines in found.items()}
