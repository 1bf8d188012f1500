"""The tapes, and every record and event in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from aimond.agents import Registry
from aimond.core.event import Event
from aimond.core.tracker import Tracker
from aimond.otlp.record import Record
from aimond.spine import DECODERS, Spine
from aimond.tape import Tape, read

TAPES = Path(__file__).parent / "tapes"
PATHS = tuple(sorted(TAPES.glob("**/*.tape.jsonl.gz")))


def name(path: Path) -> str:
    """``claude/2.1.330/hooks``"""
    return str(path.relative_to(TAPES)).removesuffix(".tape.jsonl.gz")


@cache
def tape(path: Path) -> Tape:
    return read(path)


def records(path: Path) -> Iterator[Record]:
    """Every record that an agent is given."""
    registry = Registry()
    for line in tape(path).lines:
        batch = tape(path).batch(line) if line.kind == "otlp" else None
        if batch:
            yield from DECODERS[batch.encoding](batch, registry.spans_wanted)


class _Listener(Tracker):
    """Keeps the events instead of applying them."""

    def __init__(self, inner: Tracker) -> None:
        super().__init__(inner.patience)
        self.heard: list[tuple[int, Event]] = []

    def hear(self, events: Iterable[Event], now: int) -> None:
        self.heard += [(now, event) for event in events]


def heard(path: Path) -> list[tuple[int, Event]]:
    """Every event of the network's part of a tape, with the time of its arrival."""
    spine = Spine()
    listener = _Listener(spine.tracker)
    spine.tracker = listener  # type: ignore[misc]
    for line in tape(path).lines:
        batch = tape(path).batch(line, with_peer=False) if line.kind == "otlp" else None
        if batch:
            spine.take(batch)
    return listener.heard
