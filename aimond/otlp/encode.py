"""Answers as bytes.

google.rpc.Status and its details are no part of opentelemetry-proto and small enough to be written by hand
(google/rpc/status.proto: code 1, message 2, details 3; google/rpc/error_details.proto RetryInfo: retry_delay 1).
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Final
from urllib.parse import quote

from aimond.otlp.record import Encoding
from aimond.otlp.status import Outcome

CONTENT_TYPES: Final[dict[Encoding, str]] = {"protobuf": "application/x-protobuf", "json": "application/json"}

# An Export*ServiceResponse whose partial_success is unset, as full success demands: the same for all three signals.
ACCEPTED: Final[dict[Encoding, bytes]] = {"protobuf": b"", "json": b"{}"}
ACCEPTED_GRPC: Final = bytes(5)  # not compressed, 0 bytes long

_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def status(outcome: Outcome, reason: str, encoding: Encoding) -> bytes:
    """A google.rpc.Status, with RetryInfo in protobuf when the client should try again."""
    if encoding == "json":
        return json.dumps({"code": outcome.grpc, "message": reason}).encode()
    details = _bytes_field(3, _retry_info(outcome.retry_after)) if outcome.retry_after else b""
    return _number_field(1, outcome.grpc) + _bytes_field(2, reason.encode(errors="replace")) + details


def grpc_status(outcome: Outcome, reason: str) -> list[tuple[str, str]]:
    """The headers that end a gRPC call (PROTOCOL-HTTP2.md of grpc: Trailers), details only where they say more."""
    headers = [("grpc-status", str(outcome.grpc))]
    if reason:
        headers.append(("grpc-message", quote(reason, safe=_PRINTABLE)))
    if outcome.retry_after:
        headers.append(("grpc-status-details-bin", b64encode(status(outcome, reason, "protobuf")).decode()))
    return headers


def _retry_info(seconds: int) -> bytes:
    """A google.protobuf.Any (type_url 1, value 2) of RetryInfo of Duration (seconds 1)."""
    retry_info = _bytes_field(1, _number_field(1, seconds))
    return _bytes_field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _bytes_field(2, retry_info)


def _number_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value) if value else b""


def _bytes_field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
