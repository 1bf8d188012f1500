"""Names that strangers chose, made fit to show."""

from __future__ import annotations


def plain(name: str, limit: int) -> str:
    """Its printable characters (no control characters, no halves of surrogate pairs), cut at ``limit``."""
    return "".join(char for char in name if char.isprintable())[:limit]
