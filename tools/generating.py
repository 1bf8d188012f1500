"""What the generators of tools/ have in common: they write the files that lag behind, or only say so."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def main(doc: str | None, texts: dict[Path, str]) -> int:
    """Write texts to their paths where they differ; with `--check` only say so, with 1. ``doc``: the generator's."""
    arguments = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else "")
    arguments.add_argument("--check", action="store_true", help="write nothing; 1 if a file lags behind")
    check = arguments.parse_args().check
    lags = {path: text for path, text in texts.items() if not path.exists() or path.read_text() != text}
    for path, text in lags.items():
        print(f"{path.relative_to(ROOT)} {f'lags behind: run tools/{Path(sys.argv[0]).name}' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(check and bool(lags))
