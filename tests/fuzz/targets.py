"""What strangers' bytes reach, as functions of bytes: none may raise anything."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aimond.commands.replay import replay
from aimond.config import ConfigError, load
from aimond.hooks.message import Malformed, delivered
from aimond.otlp import jsonform, protobuf
from aimond.otlp.record import Batch, Signal
from aimond.spine import Spine
from aimond.tape import read

NOW: Final = 1_800_000_000_000_000
SIGNALS: Final[tuple[Signal, ...]] = ("logs", "traces", "metrics")


def _take(batch: Batch) -> None:
    spine = Spine()
    spine.take(batch)
    spine.tracker.tick(NOW + 10**7)
    [repr(each) for each in spine.tracker.snapshots()]


def as_protobuf(data: bytes) -> None:
    """A body of each signal, decoded and understood."""
    for signal in SIGNALS:
        with suppress(ValueError):
            parsed = protobuf.parse(signal, data)
            batch = Batch(signal, "protobuf", parsed, NOW)
            list(protobuf.records(batch, lambda scope, resource: None))
            _take(batch)


def as_json(data: bytes) -> None:
    """The same in JSON."""
    try:
        document = jsonform.parse(data)
    except ValueError:
        return
    for signal in SIGNALS:
        _take(Batch(signal, "json", document, NOW))


def as_hook(data: bytes) -> None:
    """What a hook program says."""
    try:
        said = delivered(data, NOW)
    except Malformed:
        return
    Spine().take_hook(said.agent, said.event, said.via, said.fields, said.seen, at=said.at, pid=0)


def as_config(data: bytes) -> None:
    """A config.toml."""
    _in_file(data, load, ConfigError)


def as_tape(data: bytes) -> None:
    """A recording, for `aimond replay`."""
    if tape := _in_file(data, read, ValueError):
        list(replay(tape))


def _in_file(data: bytes, reader: Callable[[Path], Any], refusal: type[Exception]) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            return reader(Path(file.name))
        except refusal:
            return None


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "protobuf": as_protobuf,
    "json": as_json,
    "hook": as_hook,
    "config": as_config,
    "tape": as_tape,
}
