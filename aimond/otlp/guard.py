"""Who may send: programs of this machine and of this user; where a token is asked for, who knows it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Set
from typing import Final

from msgspec import Struct

from aimond.otlp import origin
from aimond.otlp.record import Peer
from aimond.otlp.status import Outcome, Refused

AUTHORIZATION: Final = b"authorization"
TOKEN: Final = b"x-aimond-token"
SITE: Final = b"sec-fetch-site"
_BEARER: Final = b"bearer "
_WANTED: Final = (
    "send the monitor's token, as `x-aimond-token: TOKEN` or `authorization: Bearer TOKEN`: `aimond setup` tells the "
    "CLIs, other exporters take it from OTEL_EXPORTER_OTLP_HEADERS"
)


def _nobody(peer: Peer) -> bool:
    return False


class Guard(Struct, frozen=True):
    """``hosts``: names that requests may be addressed to besides localhost, which may change meanwhile; ``token``: what
    every request must carry, b"" for nothing; ``is_foreign``: whether a connection is another user's."""

    hosts: Set[str] = frozenset()
    token: bytes = b""
    is_foreign: Callable[[Peer], bool] = _nobody

    def greet(self, peer: Peer) -> None:
        """A new connection. Raises Refused."""
        if self.is_foreign(peer):
            raise Refused(Outcome.FOREIGN, "another user's: only with `allow_other_users` under [otlp] in config.toml")

    def check(self, host: bytes | None, headers: Mapping[bytes, bytes]) -> None:
        """A request; the names of its headers are in lower case. Raises Refused."""
        origin.check(_text(host), _text(headers.get(b"origin")), self.hosts, _text(headers.get(SITE)))
        if self.token and not self._is_told(headers):
            raise Refused(Outcome.UNAUTHENTICATED, _WANTED)

    def _is_told(self, headers: Mapping[bytes, bytes]) -> bool:
        said = headers.get(TOKEN)
        if said is None:
            said = headers.get(AUTHORIZATION, b"")
            said = said[len(_BEARER) :] if said[: len(_BEARER)].lower() == _BEARER else b""
        return hmac.compare_digest(said.strip(), self.token)


ANYBODY: Final = Guard()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
