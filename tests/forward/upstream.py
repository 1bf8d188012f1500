"""A small OTLP receiver that answers what it is told to, over HTTP and gRPC; stopped and started at the same port."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from aimond.otlp import encode
from aimond.otlp.status import Outcome

REQUESTS = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
RESPONSES = {
    "logs": ExportLogsServiceResponse,
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
SERVICES = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


@dataclass
class Said:
    """What is answered. ``wait``: seconds before it; ``retry_after`` as the header has it, or RetryInfo's seconds."""

    http: int = 200
    grpc: grpc.StatusCode = grpc.StatusCode.OK
    retry_after: str = ""
    wait: float = 0.0
    rejected: int = 0
    hang_up: bool = False


@dataclass
class Got:
    signal: str
    request: Any
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


class Upstream:
    """``answers`` are given one after the other, then 200; ``refuses`` may refuse a request for its content."""

    def __init__(self, protocol: str = "http/protobuf") -> None:
        self.protocol = protocol
        self.got: list[Got] = []
        self.taken: list[Got] = []
        self.answers: list[Said] = []
        self.always = Said()
        self.refuses: Callable[[Any], bool] = lambda request: False
        self.port = 0
        self.connections: list[socket.socket] = []
        self._server: Any = None
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Upstream:
        if self.protocol == "grpc":
            self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
            self._server.add_generic_rpc_handlers([_Service(self)])
            self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
            self._server.start()
        else:
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Post", (_Post,), {"upstream": self}))
            self._server.daemon_threads = True
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self.protocol == "grpc":
            self._server.stop(None).wait()
        else:
            self._server.shutdown()
            self._server.server_close()
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.connections.clear()

    def say(self, signal: str, request: Any, headers: dict[str, str]) -> Said:
        with self._lock:
            got = Got(signal, request, headers)
            self.got.append(got)
            said = self.answers.pop(0) if self.answers else self.always
            if self.refuses(request):
                said = Said(400, grpc.StatusCode.INVALID_ARGUMENT)
            if said.http == 200 and not said.hang_up:
                self.taken.append(got)
        time.sleep(said.wait)
        return said

    def logs(self) -> list[str]:
        """The names of all log records that were taken, in order."""
        return [
            log.event_name
            for got in self.taken
            if got.signal == "logs"
            for of_resource in got.request.resource_logs
            for of_scope in of_resource.scope_logs
            for log in of_scope.log_records
        ]


class _Post(BaseHTTPRequestHandler):
    upstream: Upstream
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.upstream.connections.append(self.connection)

    def do_POST(self) -> None:
        signal = self.path.rpartition("/")[2]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        said = self.upstream.say(
            signal, REQUESTS[signal].FromString(body), {k.lower(): v for k, v in self.headers.items()}
        )
        if said.hang_up:
            self.close_connection = True
            return
        content = RESPONSES[signal]()
        if said.rejected:
            content.partial_success.rejected_log_records = said.rejected
            content.partial_success.error_message = "too old"
        answer = content.SerializeToString() if said.http == 200 else encode.status(Outcome.BUSY, "no", "protobuf")
        self.send_response(said.http)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        if said.retry_after:
            self.send_header("Retry-After", said.retry_after)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        pass


class _Service(grpc.GenericRpcHandler):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        signal = next(signal for signal, path in SERVICES.items() if path == details.method)

        def export(request: Any, context: grpc.ServicerContext) -> Any:
            said = self._upstream.say(signal, request, dict(details.invocation_metadata))
            if said.grpc is not grpc.StatusCode.OK:
                outcome = Outcome.BUSY if said.retry_after else Outcome.UNDECODABLE
                raw = encode.status(outcome, "no", "protobuf")
                context.set_trailing_metadata([("grpc-status-details-bin", raw)])
                context.abort(said.grpc, "no")
            content = RESPONSES[signal]()
            if said.rejected:
                content.partial_success.rejected_log_records = said.rejected
                content.partial_success.error_message = "too old"
            return content

        return grpc.unary_unary_rpc_method_handler(
            export, REQUESTS[signal].FromString, lambda message: message.SerializeToString()
        )
