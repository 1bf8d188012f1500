"""Keeps the daemon's outputs going: one that breaks is started again, alone, and the others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from aimond.core.change import Change
from aimond.core.output import Output

_LOG: Final = logging.getLogger(__name__)

# Seconds until a broken output is started again, doubled each time it breaks within LASTED seconds.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
LASTED: Final = 60.0


def publish(outputs: Sequence[Output], changes: list[Change]) -> None:
    """Tell every output; one that raises has no part in the others."""
    for output in outputs:
        try:
            output.publish(changes)
        except Exception:
            _LOG.exception("%s did not take a change; please report this", type(output).__name__)


async def keep(output: Output) -> None:
    """Run an output for good."""
    loop = asyncio.get_running_loop()
    pause = FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await output.run()
            return
        except Exception as error:
            told = None if _is_of_the_system(error) else error
            name = type(output).__name__
            if (task := asyncio.current_task()) and task.cancelling():
                _LOG.error("%s broke when it was to end (%s)", name, error, exc_info=told)
                return
            _LOG.error("%s broke (%s); it is started again in %g s", name, error, pause, exc_info=told)
        if loop.time() - began > LASTED:
            pause = FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_of_the_system(error: Exception) -> bool:
    """Such as no file descriptor: where in our code it struck says nothing."""
    if isinstance(error, ExceptionGroup):
        return all(map(_is_of_the_system, error.exceptions))
    return isinstance(error, OSError)
