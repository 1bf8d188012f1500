"""Time from a post to the signal at a client, against a server that does nothing in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import batched, islice
from statistics import quantiles
from typing import Any, Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.bench.bodies import Post
from tests.bench.figure import Figure
from tests.bench.floor import SIGNAL_PATH
from tests.bench.post import Exporter, exporter, wire
from tests.bench.servers import serving
from tests.bench.turns import APART, turns

SAMPLES: Final = 600
WARM_UP: Final = 100
PART: Final = 150
REST: Final = 0.001  # seconds; what a server does after its signal must not burden the next sample
BARS: Final = ((50, 2.5), (99, 5.0))
"""
