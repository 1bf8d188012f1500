"""A traces request whose spans are left as the bytes they came in.

Codex 0.169.0 sends 170 spans at once, of which one in 460 is read, and to parse the others would be most of what they
cost. So this is ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1/trace_service.proto) with another
type for the spans: on the wire, bytes and a message are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "aimond.otlp"
_OTHERS: Final[dict[str, Any]] = {"Resource": Resource, "InstrumentationScope": InstrumentationScope}
# Messages of ours: name, number and type of each field; repeated ones are marked.
_MESSAGES: Final = {
    "Traces": (("resource_spans", 1, "OfResource", True),),
    "OfResource": (("resource", 1, "Resource", False), ("scope_spans", 2, "OfScope", True)),
    "OfScope": (("scope", 1, "InstrumentationScope", False), ("spans", 2, "bytes", True)),
}
_NAME: Final = Span.NAME_FIELD_NUMBER << 3 | 2  # its tag: what has a length


def _field(name: str, number: int, kind: str, is_repeated: bool) -> Any:
    field = _FIELD(name=name, number=number)
    field.label = _FIELD.LABEL_REPEATED if is_repeated else _FIELD.LABEL_OPTIONAL
    field.type = _FIELD.TYPE_BYTES if kind == "bytes" else _FIELD.TYPE_MESSAGE
    if kind in _OTHERS:
        field.type_name = f".{_OTHERS[kind].DESCRIPTOR.full_name}"
    elif kind in _MESSAGES:
        field.type_name = f".{_PACKAGE}.{kind}"
    return field


def _message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="aimond/otlp/shallow.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.extend(other.DESCRIPTOR.file.name for other in _OTHERS.values())
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name).field.extend(_field(*field) for field in fields)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Traces"))


Traces: Final = _message()


def spans(raw: Iterable[bytes], names: frozenset[str] | None) -> Iterator[Any]:
    """The spans of those names (None: all), parsed; without those that are damaged."""
    if names is not None:
        raw = filter(_marks(names), raw) if names else ()
    for each in raw:
        try:
            span = Span.FromString(each)
        except DecodeError:
            continue
        if names is None or span.name in names:  # what was found may be text of another field
            yield span


@lru_cache(maxsize=32)
def _marks(names: frozenset[str]) -> Callable[[bytes], object]:
    """Finds any of the names, as they are written in a span."""
    written = [bytes([_NAME, len(name)]) + name.encode() for name in sorted(names)]
    return re.compile(b"|".join(map(re.escape, written))).search
