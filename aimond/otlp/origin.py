"""Who may send: programs of this machine, not web pages in its browser."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache
from typing import Final

from aimond.otlp.status import Outcome, Refused

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# No browser, or what was typed into its address bar (https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header).
_NO_PAGE: Final = frozenset({None, "none"})
_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:\[\]]+))(?::\d*)?")


def check(host: str | None, origin: str | None, also_allowed: Set[str], site: str | None = None) -> None:
    """Raises Refused for what a web page sends: an Origin, a Sec-Fetch-Site but for "none", or a Host that DNS was
    made to point here (rebinding).

    ``host`` is the Host header or :authority, with or without a port; a client that names none is no browser.
    """
    if origin is not None or site not in _NO_PAGE:
        raise Refused(Outcome.FOREIGN, "web pages may not send telemetry")
    if host is None:
        return
    name = _name(host)
    if name not in _LOCAL and name not in also_allowed:
        raise Refused(Outcome.FOREIGN, "not addressed to localhost; other names: `hosts` under [otlp] in config.toml")


@lru_cache(maxsize=16)
def _name(host: str) -> str:
    """The host without its port, "" for what is no host."""
    match = _AUTHORITY.fullmatch(host.lower())
    return match[1] or match[2] if match else ""
