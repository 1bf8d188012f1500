"""kill -9 at any moment: the file is whole, and nothing is missing that was put a second before."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from tests.history.desk import shell, sound

KILLS = 50
WRITER = Path(__file__).with_name("writing.py")


def test_fifty_kills_lose_at_most_the_last_second_and_break_nothing(path: Path) -> None:
    chance = random.Random(4)
    promised = 0
    for _ in range(KILLS):
        promised = killed(path, promised, chance.uniform(0, 0.15))
        db = shell(path)
        assert there(path, "call") >= set(range(1, promised + 1))
        assert there(path, "counted") >= set(range(1, promised + 1))
        db.close()
        assert sound(path)
    assert promised > KILLS


def killed(path: Path, promised: int, after: float) -> int:
    """Up to which number all must be there, after a writer that began after ``promised``, as exporters send again what
    may be lost, was killed so many seconds after it opened the file."""
    command = [sys.executable, str(WRITER), str(path), str(promised + 1)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        assert writer.stdout.readline() == "open\n"
        time.sleep(after)
        writer.kill()
        at = time.monotonic()
        lines = [line.split() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        assert writer.stderr.read() == ""
    for what, number, *when in lines:
        if what == "written" or float(when[0]) < at - 1:
            promised = max(promised, int(number))
    return promised


def there(path: Path, table: str) -> set[int]:
    db = shell(path)
    numbers = {int(key[1:]) for (key,) in db.execute(f"SELECT key FROM {table}")}
    db.close()
    return numbers
