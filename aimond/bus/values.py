"""Values as D-Bus takes them: whatever a stranger wrote, a message can be made of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from dbus_fast import Variant

LONGEST_TEXT: Final = 4096
LONGEST_LABEL: Final = 64

# Control characters, and the surrogates that no UTF-8 has.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_SPECIAL: Final = re.compile(rb"^[0-9]|[^A-Za-z0-9]")


def text(value: str) -> str:
    """As valid for D-Bus: no control characters (a run of them is one space), at most 4 KiB of UTF-8."""
    if not value.isprintable():
        value = _UNFIT.sub(" ", value)
    if len(value) * 4 > LONGEST_TEXT:
        value = value.encode()[:LONGEST_TEXT].decode(errors="ignore")
    return str(value)


def label(value: str) -> str:
    """As one element of an object path: sd-bus's label escaping, or ``_h`` and a hash where that is longer than 64
    bytes. No other label begins so, whatever a stranger calls a session.

    ``[A-Za-z0-9]`` stay, other bytes and a leading digit become ``_xx`` (``sd_bus_path_encode(3)``).
    """
    raw = value.encode(errors="surrogatepass")
    escaped = _SPECIAL.sub(lambda found: b"_%02x" % found[0][0], raw).decode() or "_"
    return escaped if len(escaped) <= LONGEST_LABEL else f"_h{hashlib.sha256(raw).hexdigest()[:62]}"


def money(value: Decimal | None) -> float:
    """USD as D-Bus has it; 0 when not known, which a basis beside it tells."""
    return float(value or 0)


def _bounded(most: int) -> Callable[[int], int]:
    return lambda value: min(max(value, 0), most)


_FIT: Final[dict[str, Callable[[Any], Any]]] = {
    "s": text,
    "u": _bounded(2**32 - 1),
    "t": _bounded(2**64 - 1),
    "d": money,
    "b": bool,
}


def variant(kind: str, value: Any) -> Variant:
    """A value in a variant of type ``kind``; text and numbers are made to fit, anything else must."""
    fit = _FIT.get(kind)
    return Variant(kind, fit(value) if fit else value, verify=False)
