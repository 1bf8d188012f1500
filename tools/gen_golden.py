#!/usr/bin/env python3
"""Writes tests/forward/golden/*.json anew: what normalizing adds to chosen tapes. Look at the difference."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.forward.test_tapes_normalized import CHOSEN, GOLDEN, told  # noqa: E402
from tests.recorded import PATHS, name  # noqa: E402

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for path in PATHS:
        if name(path) in CHOSEN:
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in told(path))
            (GOLDEN / f"{name(path).replace('/', '-')}.json").write_text(f"[\n{rows}\n]\n")
