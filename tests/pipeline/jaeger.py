"""A real trace store: Jaeger's, with its spans in memory, asked by its query API (jaeger.api_v3.QueryService 1.76)."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask as Strings  # of the same shape as GetServicesResponse
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.pipeline import build
from tests.pipeline.records import values
from tests.pipeline.running import PATIENT, free_port, running

QUERY = "/jaeger.api_v3.QueryService/"
MOST = 5000  # traces


@dataclass(frozen=True)
class TraceStore:
    """``otlp``: where it takes OTLP/HTTP."""

    otlp: str
    query: grpc.Channel

    def spans(self, **tags: str) -> list[dict[str, Any]]:
        """The attributes of all spans that have those, whatever service they are of."""
        spans = [span for service in self._services() for span in self._find(service, tags)]
        found = [values(span.attributes) for span in spans]
        return [each for each in found if all(str(each.get(key)) == tag for key, tag in tags.items())]

    def _services(self) -> list[str]:
        ask = self.query.unary_unary(f"{QUERY}GetServices", response_deserializer=Strings.FromString)
        return list(ask(b"", timeout=PATIENT).paths)

    def _find(self, service: str, tags: Mapping[str, str]) -> Iterator[Any]:
        """The spans of all traces that have one like that."""
        find = self.query.unary_stream(f"{QUERY}FindTraces", response_deserializer=TracesData.FromString)
        for found in find(query(service, tags), timeout=PATIENT):
            for of_resource in found.resource_spans:
                for of_scope in of_resource.scope_spans:
                    yield from of_scope.spans


def query(service: str, tags: Mapping[str, str]) -> bytes:
    """A FindTracesRequest: service_name 1, attributes 3, start_time_min and _max 4 and 5, search_depth 8."""
    parts = [text(1, service)]
    parts += [field(3, text(1, key) + text(2, value)) for key, value in tags.items()]
    parts += [field(4, number(1, 1)), field(5, number(1, 2**32)), number(8, MOST)]
    return field(1, b"".join(parts))


def number(place: int, value: int) -> bytes:
    return bytes([place << 3]) + varint(value)


def text(place: int, value: str) -> bytes:
    return field(place, value.encode())


def field(place: int, content: bytes) -> bytes:
    return bytes([place << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


@contextmanager
def trace_store(directory: Path) -> Iterator[TraceStore]:
    """An empty one."""
    directory.mkdir(parents=True, exist_ok=True)
    otlp, query = free_port(), free_port()

    def ready() -> bool:
        for port in (otlp, query):
            socket.create_connection(("127.0.0.1", port), 5).close()
        return True

    command = [str(build.trace_store()), f"127.0.0.1:{otlp}", f"127.0.0.1:{query}"]
    unlimited = [("grpc.max_receive_message_length", -1)]
    with (
        running(command, directory / "store.log", ready),
        grpc.insecure_channel(f"127.0.0.1:{query}", unlimited) as channel,
    ):
        yield TraceStore(f"http://127.0.0.1:{otlp}", channel)
