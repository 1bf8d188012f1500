"""The SDK's own exporters at work: prompts of as many sessions, one request each, at a steady pace.

usage: exporting.py http|grpc COUNT SECONDS; each session's id begins with the protocol. Prints how many were taken."""

import logging
import sys
import time
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor


def exporter(protocol: str) -> Any:
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as Http

        return Http("http://127.0.0.1:4318/v1/logs")
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Grpc

    return Grpc("http://127.0.0.1:4317", insecure=True)


class Counting(SimpleLogRecordProcessor):
    """Exports at once, and counts what the exporter says was taken."""

    taken = 0

    def on_emit(self, log_record: Any) -> None:
        self.taken += self._exporter.export([log_record]) is LogRecordExportResult.SUCCESS


logging.basicConfig()
protocol, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
counting = Counting(exporter(protocol))
provider = LoggerProvider()
provider.add_log_record_processor(counting)
logger = provider.get_logger("com.anthropic.claude_code.events")
for number in range(count):
    attributes = {"event.name": "user_prompt", "session.id": f"{protocol}-{number}", "prompt_length": "1"}
    now = time.time_ns()
    logger.emit(
        LogRecord(timestamp=now, severity_number=SeverityNumber.INFO, body="user_prompt", attributes=attributes)
    )
    time.sleep(seconds / count)
print(counting.taken, flush=True)
