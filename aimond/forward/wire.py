"""google.rpc.Status as upstreams send it, which opentelemetry-proto has not (google/rpc/status.proto: code 1, message
2, details 3; google/rpc/error_details.proto, RetryInfo: retry_delay 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import DecodeError
from msgspec import Struct

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "aimond.forward"


def _message(name: str, *fields: tuple[str, int, int, str]) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name=f"aimond/{name}.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.extend([any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name])
    message = file.message_type.add(name=name)
    for field, number, kind, of in fields:
        label = _FIELD.LABEL_REPEATED if field == "details" else _FIELD.LABEL_OPTIONAL
        message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_STATUS: Final = _message(
    "Status",
    ("code", 1, _FIELD.TYPE_INT32, ""),
    ("message", 2, _FIELD.TYPE_STRING, ""),
    ("details", 3, _FIELD.TYPE_MESSAGE, ".google.protobuf.Any"),
)
_RETRY_INFO: Final = _message("RetryInfo", ("retry_delay", 1, _FIELD.TYPE_MESSAGE, ".google.protobuf.Duration"))


class Status(Struct, frozen=True):
    """``retry_after``: in seconds, None if there is no RetryInfo."""

    message: str = ""
    retry_after: float | None = None


def status(raw: bytes) -> Status:
    """What it says; an empty one if it is none."""
    try:
        found = _STATUS.FromString(raw)
        return Status(found.message, next(_delays(found.details), None))
    except DecodeError:
        return Status()


def _delays(details: Any) -> Iterator[float]:
    for each in details:
        if each.type_url.endswith("/google.rpc.RetryInfo"):
            delay = _RETRY_INFO.FromString(each.value).retry_delay
            yield max(0.0, delay.seconds + delay.nanos / 1e9)
