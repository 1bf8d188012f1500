"""Real request bodies of the tapes, made new each time they are sent: repetitions are dropped, and measure nothing.

The sessions stay the same and go on: each time their prompts, calls and tools are others, some hours later. So it is
the records that are measured, and not how fast sessions of a dozen records can be opened.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aimond import tape
from aimond.otlp import protobuf
from aimond.otlp.record import Signal
from aimond.sender import shift_message

TAPES: Final = Path(__file__).parents[1] / "tapes"

# Sessions, prompts and conversations; trace ids as JSON has them.
_WRITTEN_IDS: Final = rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
_JSON_TIMES: Final = re.compile(rb'([tT]imeUnixNano":\s*"?)(\d{16,})')
HOURS: Final = 6 * 3_600 * 10**9  # longer than any tape
PAST: Final = 4_000  # times are not to lie in the future
_NEW: Final[dict[int, Callable[[bytes], bytes]]] = {
    8: lambda digest: digest[:8],
    16: lambda digest: digest,
    32: lambda digest: digest.hex().encode(),
    36: lambda digest: str(UUID(bytes=digest)).encode(),
}
_ITEMS: Final = {
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


@dataclass(frozen=True, slots=True)
class Post:
    """One export request to be sent over HTTP. ``connection``: the one of the recorded process that it came on."""

    connection: str
    path: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A post as recorded on that tape. ``items``: how many log records, spans or metrics it carries."""

    tape: str
    post: Post
    signal: Signal
    items: int
    ids: re.Pattern[bytes]
    sessions: frozenset[bytes]

    def anew(self, number: int) -> Post:
        """The same of other prompts, hours later: all requests of one number keep belonging together."""
        gzipped = self.post.body.startswith(tape.GZIP)
        body = gzip.decompress(self.post.body) if gzipped else self.post.body
        body = self.ids.sub(lambda found: self._renamed(found[0], number), body)
        body = self._later(body, (number - PAST) * HOURS)
        return replace(self.post, body=gzip.compress(body) if gzipped else body)

    def _renamed(self, old: bytes, number: int) -> bytes:
        return old if old in self.sessions else renamed(old, number)

    def _later(self, body: bytes, nanoseconds: int) -> bytes:
        if "json" in self.post.content_type:
            return _JSON_TIMES.sub(lambda found: b"%s%d" % (found[1], int(found[2]) + nanoseconds), body)
        message = protobuf.whole(self.signal, body)
        shift_message(message, nanoseconds)
        later: bytes = message.SerializeToString()
        return later


def renamed(old: bytes, number: int) -> bytes:
    """Another id of the same kind, the same one for the same number."""
    return _NEW[len(old)](md5(b"%d:%s" % (number, old), usedforsecurity=False).digest())


@cache
def recorded(tool: str, signal: str) -> list[Request]:
    """The requests of that signal in all tapes of one tool ("" for any), as they came; none of signal ""."""
    requests: list[Request] = []
    for path in sorted(TAPES.rglob("*.tape.jsonl.gz")):
        recording = tape.read(path)
        if tool in ("", recording.tool):
            requests += _requests(path, recording, signal)
    assert requests or not signal, f"no {signal} of {tool or 'any tool'} in {TAPES}"
    return requests


def _requests(path: Path, recording: tape.Tape, signal: str) -> Iterator[Request]:
    truth = json.loads(path.with_name(path.name.replace(".tape.jsonl.gz", ".truth.json")).read_text())
    sessions = frozenset(session["session_id"].encode() for session in truth["sessions"])
    for line in recording.lines:
        if line.kind != "otlp" or line.fields["signal"] != signal:
            continue
        batch = recording.batch(line)
        if batch is None:  # aimond would refuse it
            continue
        is_json = batch.encoding == "json"
        inside = items(batch.signal, batch.parsed if is_json else protobuf.whole(batch.signal, tape.unpacked(line)))
        connection = f"{path.name} {line.fields['peer'].get('conn')}"
        if line.fields["transport"] == "http":
            post = Post(connection, line.fields["path"], line.fields["content_type"], line.body)
        else:  # the message of a gRPC call is what HTTP would carry
            post = Post(connection, f"/v1/{signal}", "application/x-protobuf", line.body)
        yield Request(path.name, post, batch.signal, len(inside), _ids(inside), sessions)


def items(signal: str, parsed: Any) -> list[Any]:
    """The log records, spans or metrics of a parsed request, whatever its encoding."""
    levels = [parsed]
    for name in _ITEMS[signal]:
        levels = [below for level in levels for below in _below(level, name)]
    return levels


def _below(level: Any, name: str) -> Any:
    if not isinstance(level, dict):
        return getattr(level, name)
    first, *others = name.split("_")
    return level.get(first + "".join(map(str.capitalize, others)), [])


def _ids(inside: list[Any]) -> re.Pattern[bytes]:
    """What to rename in that body; the trace ids of protobuf are bytes like any others, so they are looked up."""
    traces = {getattr(item, "trace_id", b"") for item in inside} - {b""}
    return re.compile(b"|".join([_WRITTEN_IDS, *map(re.escape, sorted(traces))]))
