"""TOML as the standard library reads it, refused in one way. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

PARTS: Final = 64
# tomllib keeps every beginning of a dotted key: 20,000 parts would take gigabytes (Python 3.11).
_PART: Final = r"""(?:"[^"\n]*"|'[^'\n]*'|(?<![\w-])[\w-]+)[ \t]*\.[ \t]*"""
_MANY_PARTS: Final = re.compile(f"(?:{_PART}){{{PARTS}}}")


def parse(text: str, number: Callable[[str], Any] = float) -> dict[str, Any]:
    """What a document says, its fractions read by ``number``.

    Raises ValueError with what is wrong with it, tomllib's own where that has one: of a number of more digits than
    Python reads, of what is nested too deeply and of a key of more than 64 parts it says nothing of the kind (3.11).
    """
    if found := _MANY_PARTS.search(text):
        raise ValueError(
            f"a key of more than {PARTS} parts (at line {text.count(chr(10), 0, found.start()) + 1}, column 1)"
        )
    try:
        return tomllib.loads(text, parse_float=number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def exact(text: str) -> Decimal:
    """A fraction as it is written. Raises ValueError for one whose exponent no number has."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a number that can be used: {text[:40]}") from None
