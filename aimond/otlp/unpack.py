"""gzip without bombs."""

from __future__ import annotations

import zlib
from typing import Final

from aimond.otlp.status import Outcome, Refused

MAX_BODY: Final = 16 * 2**20  # Codex 0.169.0 sends 1.08 MB at once: the spans of one turn as JSON
GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 16 + zlib.MAX_WBITS


def gunzip(body: bytes, limit: int) -> bytes:
    """The unpacked body. Raises Refused when it is damaged or larger than the limit, of which no more is unpacked.

    One gzip member only: no exporter writes more, and a body of a million empty ones would take hours.
    """
    member = zlib.decompressobj(_GZIP)
    try:
        unpacked = member.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(Outcome.UNDECODABLE, f"not gzip: {error}") from None
    if len(unpacked) > limit:
        raise Refused(Outcome.TOO_LARGE, f"more than {limit} bytes unpacked")
    if not member.eof or member.unused_data:
        raise Refused(Outcome.UNDECODABLE, "not exactly one gzip stream")
    return unpacked
