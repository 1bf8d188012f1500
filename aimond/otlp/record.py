"""What a CLI sent, decoded: log records and spans with attributes that are read only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct, field

Signal = Literal["logs", "traces", "metrics"]
Encoding = Literal["protobuf", "json"]

# An attribute value after conversion. Bytes, maps and nested arrays are not used by any CLI seen and read as None.
Value = str | int | float | bool | tuple[Any, ...] | None


Address = tuple[str, int]  # of one end of a TCP connection
NOWHERE: Final[Address] = ("", 0)


class Peer(Struct):
    """The other end of a connection, one for all that comes on it: ``remote`` and ``local`` are its addresses.

    ``pid`` and ``inode`` (of its socket) are 0 and ``comm`` (its executable's name) "" while unknown; whoever finds out
    says so here, and sets ``met``."""

    transport: Literal["http", "grpc", "hook"] = "http"
    remote: Address = NOWHERE
    local: Address = NOWHERE
    pid: int = 0
    comm: str = ""
    inode: int = 0
    met: bool = False


def peer_of(transport: Literal["http", "grpc"], info: Callable[[str], Any]) -> Peer:
    """The peer of a connection; ``info`` is its ``get_extra_info`` (asyncio)."""
    remote, local = info("peername"), info("sockname")
    if not isinstance(remote, tuple) or not isinstance(local, tuple):
        return Peer(transport)
    return Peer(transport, remote[:2], local[:2])


class Batch(Struct):
    """One export request, parsed but not understood.

    ``parsed`` is the Export*ServiceRequest message (protobuf) or the decoded JSON document; ``seen`` is when its last
    byte arrived, µs since the epoch. ``body`` is what it was parsed from, unpacked, for whoever passes it on; b"" where
    nobody does.
    """

    signal: Signal
    encoding: Encoding
    parsed: Any
    seen: int
    peer: Peer = field(default_factory=Peer)
    body: bytes = b""


class Attributes:
    """Attributes by key, each converted when first asked for: most are never looked at.

    Numbers are read leniently, because the same quantity is an int in one event and a string in the next (Claude Code
    2.1.330 ``duration_ms``, Codex 0.169.0 ``input_token_count``), and words such as "undefined" occur in their place
    (Claude Code 2.0.76 ``status_code``).
    """

    __slots__ = ("_convert", "_raw")

    def __init__(self, raw: dict[str, Any], convert: Callable[[Any], Value]) -> None:
        self._raw = raw
        self._convert = convert

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def get(self, key: str) -> Value:
        """The value as it was sent, None when absent or empty."""
        raw = self._raw.get(key)
        return None if raw is None else self._convert(raw)

    def text(self, key: str) -> str:
        """The value as text, "" when absent or not a scalar."""
        raw = self._raw.get(key)
        if raw is None:
            return ""
        value = self._convert(raw)
        if isinstance(value, str):  # as most are, and this is asked most
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, _NUMBERS) else ""

    def integer(self, key: str) -> int | None:
        """The value as a whole number, None when it says no such number. Negative counts read as None."""
        value = self.get(key)
        if type(value) is int:
            return value if 0 <= value < _TOO_LARGE else None
        number = self.real(key)
        return int(number) if number is not None and 0 <= number < _TOO_LARGE else None

    def real(self, key: str) -> float | None:
        """The value as a finite number, None when it says no such number."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, _NUMERALS):
            return None
        try:
            number = float(value) if not isinstance(value, int) else value
            return number if -_TOO_LARGE < number < _TOO_LARGE else None
        except ValueError:
            return None

    def flag(self, key: str) -> bool | None:
        """The value as yes or no ("true" and "false" count), None when it says neither."""
        return _FLAGS.get(self.text(key).lower())


# As tuples: a union would be made, and slowly searched, each time.
_NUMBERS: Final = (int, float)
_NUMERALS: Final = (str, int, float)
_TOO_LARGE: Final = 2**63
_FLAGS: Final = {"true": True, "false": False}
NO_ATTRIBUTES: Final = Attributes({}, lambda raw: None)


class Record(Struct):
    """One log record or span. Times are µs since the epoch, 0 = not given.

    ``name`` is the ``event.name`` attribute of a log record (its EventName field, then "", when that is missing), or
    the span's name. ``start`` equals ``at`` for a log record; a span's ``at`` is its end. Ids are lower-case hex, ""
    when absent. ``error`` is true for a span with status ERROR, whose message is ``status``. ``number`` is the value of
    a metric point, which counts from ``start``, or from the point before where it is not ``cumulative``."""

    signal: Signal
    scope: str
    name: str
    at: int
    attributes: Attributes
    resource: Attributes
    start: int = 0
    trace: str = ""
    span: str = ""
    parent: str = ""
    error: bool = False
    status: str = ""
    number: float = 0.0
    cumulative: bool = False


# Asked once per scope of a request: the names of spans and metrics that somebody wants; None for all spans and no
# metrics. (Looking before walking is what makes 464 internal spans of one Codex 0.169.0 turn cost next to nothing.)
SpansWanted = Callable[[str, Attributes], frozenset[str] | None]
# Asked once per scope of a logs request: the event names that are known and that nobody reads.
LogsIgnored = Callable[[str], frozenset[str]]


def all_logs(scope: str) -> frozenset[str]:
    """Nothing is to be ignored."""
    return frozenset()
