"""A real turn of Claude Code, taken again and again by any number of sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final
from uuid import UUID

from aimond import tape
from aimond.otlp import protobuf
from tests.bench.bodies import TAPES, Post, items, renamed
from tests.bench.post import wire

TAPE: Final = TAPES / "claude/2.1.330/tui-auto.tape.jsonl.gz"
# Its first prompt, then the logs and the spans that end that turn, and what each makes of its session. (The spans came
# 22 ms before these logs; what is told of an ending may wait for both.)
STEPS: Final = (
    ("logs", b"claude_code.user_prompt", "working"),
    ("logs", b"claude_code.api_request", ""),
    ("traces", b"claude_code.interaction", "completed"),
)
APART: Final = 5_000_000_000  # ns between two turns of one session
TIMES: Final = ("time_unix_nano", "observed_time_unix_nano", "start_time_unix_nano", "end_time_unix_nano")
IDS: Final = ("trace_id", "span_id", "parent_span_id")


@dataclass(frozen=True, slots=True)
class Step:
    """A request, the size of its body, and the state that it brings its session into, "" if none yet."""

    request: bytes
    size: int
    session: str
    state: str


def turns(sessions: int, first: int) -> Iterator[Step]:
    """The steps of one turn after the other, session by session; the first begins at ``first``, ns since the epoch."""
    recorded = [(signal, _first(signal, holds), state) for signal, holds, state in STEPS]
    (prompt,) = items("logs", recorded[0][1])
    for number in count():
        session = str(UUID(int=number % sessions + 1, version=4))
        delay = first - prompt.time_unix_nano + number // sessions * APART
        for signal, parsed, state in recorded:
            body = _anew(signal, parsed, session, number, delay)
            request = wire(Post("", f"/v1/{signal}", "application/x-protobuf", body))
            yield Step(request, len(body), session, state)


def _first(signal: str, holds: bytes) -> Any:
    recording = tape.read(TAPE)
    line = next(line for line in recording.lines if line.fields.get("signal") == signal and holds in line.body)
    return protobuf.whole(line.fields["signal"], tape.unpacked(line))


def _anew(signal: str, parsed: Any, session: str, number: int, delay: int) -> bytes:
    """The body of the same request, of another turn ``delay`` ns later."""
    copy = type(parsed)()
    copy.CopyFrom(parsed)
    for item in items(signal, copy):
        for field, value in item.ListFields():
            if field.name in TIMES:
                setattr(item, field.name, value + delay)
            elif field.name in IDS:
                setattr(item, field.name, renamed(value, number))
        for pair in item.attributes:
            if pair.key == "session.id":
                pair.value.string_value = session
            elif pair.key == "prompt.id":
                pair.value.string_value = renamed(pair.value.string_value.encode(), number).decode()
    body: bytes = copy.SerializeToString()
    return body
