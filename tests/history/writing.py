"""``python writing.py PATH``: puts calls into a history until it is killed, and says when what has been written."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aimond.core.rows import Rows
from tests.history.desk import call, counted, opened, session, turn


async def write(path: Path, first: int) -> None:
    """``put NUMBER TIME`` for every call, ``written NUMBER`` for every tenth that is known to be."""
    async with opened(path) as store:
        print("open", flush=True)
        for number in count(first):
            row = session(turns=number, last=number)
            keys = [call(f"c{number}"), call(f"c{number // 2}", cost="0.25")]
            store.put(Rows(sessions=[row], turns=[turn(number)], calls=keys, counted=[counted(f"p{number}")]))
            print("put", number, time.monotonic(), flush=True)
            if number % 10 == 0:
                assert await store.written()
                print("written", number, flush=True)
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
