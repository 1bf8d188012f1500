"""How forwarding goes, as readers are told."""

from __future__ import annotations

from msgspec import Struct


class Forwarding(Struct, frozen=True):
    """``state``: ``off``, ``ok``, ``retrying`` (the upstream does not take it; it waits on disk) or ``dropping`` (not
    even that is possible for all of it). Requests since the start: ``sent`` and ``dropped``, for whatever reason.
    ``spooled``: bytes on disk at most. ``error``: the last one, for people."""

    state: str = "off"
    sent: int = 0
    dropped: int = 0
    spooled: int = 0
    error: str = ""


OFF = Forwarding()
