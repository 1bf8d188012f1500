#!/usr/bin/env python3
"""Write the man pages, the shells' completions, docs/commands.md and docs/troubleshooting.md from the sources.

    tools/gen_manual.py [--check]

From argparse, the pydantic models, the D-Bus contract and the rules of `aimond doctor`: nothing is told twice.
`--check` writes nothing and exits with 1 if a file lags behind.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import generating
from manual import command_pages, config_page, dbus_page, roff, shells, trouble

ROOT: Final = Path(__file__).parents[1]
DATA: Final = ROOT / "data"  # laid out as below a data home, such as /usr/share
DOCS: Final = ROOT / "docs"


def generated() -> dict[Path, str]:
    """The texts of the files, by path."""
    return {path: dated(path, text) for path, text in undated().items()}


def dated(path: Path, text: str) -> str:
    """With the date of the file that is there if nothing else has changed, else with today's."""
    there = path.read_text() if path.exists() else ""
    dates = re.findall(r"^\.TH \S+ \S+ ([0-9-]+) ", there, re.MULTILINE)
    same = [old for date in dates if (old := text.replace(roff.DATE, date)) == there]
    return same[0] if same else text.replace(roff.DATE, f"{datetime.now(UTC):%Y-%m-%d}")


def undated() -> dict[Path, str]:
    return {
        DATA / "man/man1/aimond.1": command_pages.man(),
        DATA / "man/man5/aimond.toml.5": config_page.man(),
        DATA / "man/man7/org.ai.Monitor.7": dbus_page.man(),
        **{DATA / place: script for place, script in shells.scripts()},
        DOCS / "commands.md": command_pages.markdown(),
        DOCS / "troubleshooting.md": trouble.markdown(),
    }


if __name__ == "__main__":
    sys.exit(generating.main(__doc__, generated()))
