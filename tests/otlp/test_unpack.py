"""gzip that means harm."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from aimond.otlp.status import Outcome, Refused
from aimond.otlp.unpack import gunzip

MIB = 2**20


def test_a_body_up_to_the_limit_is_unpacked() -> None:
    assert gunzip(gzip.compress(bytes(MIB)), MIB) == bytes(MIB)
    assert gunzip(gzip.compress(b""), MIB) == b""


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(50)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(Refused) as raised:
        gunzip(bomb, MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.outcome is Outcome.TOO_LARGE
    assert peak < 10 * MIB
