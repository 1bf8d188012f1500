"""What an exporter is told: every outcome of a request, on both transports."""

from __future__ import annotations

from enum import Enum
from typing import Final

NO_MEMORY: Final = "no memory for it at present"


class Outcome(Enum):
    """HTTP status, gRPC status, and after how many seconds to try again (0: never, the data is to be dropped).

    By https://opentelemetry.io/docs/specs/otlp/ only 429, 502, 503 and 504 are retried (#retryable-response-codes), and
    RESOURCE_EXHAUSTED only with RetryInfo (#failures). What is the sender's fault is 4xx, and dropped.
    """

    ACCEPTED = (200, 0)  # #full-success
    UNDECODABLE = (400, 3)  # INVALID_ARGUMENT, #bad-data
    UNAUTHENTICATED = (401, 16)  # the token is missing or wrong
    FOREIGN = (403, 7)  # PERMISSION_DENIED: a web page, not an exporter; or another user
    UNKNOWN_PATH = (404, 12)  # UNIMPLEMENTED
    WRONG_METHOD = (405, 12)
    TOO_SLOW = (408, 4)  # DEADLINE_EXCEEDED
    TOO_LARGE = (413, 8)  # RESOURCE_EXHAUSTED without RetryInfo, #otlphttp-request and #otlpgrpc-request
    UNKNOWN_TYPE = (415, 3)
    UNKNOWN_COMPRESSION = (415, 12)
    HEAD_TOO_LARGE = (431, 8)
    BUSY = (429, 8, 1)  # RESOURCE_EXHAUSTED with RetryInfo, #otlphttp-throttling and #otlpgrpc-throttling
    BROKEN = (500, 13)  # INTERNAL
    CROWDED = (503, 14, 1)  # UNAVAILABLE

    def __init__(self, http: int, grpc: int, retry_after: int = 0) -> None:
        self.http = http
        self.grpc = grpc
        self.retry_after = retry_after


class Refused(Exception):  # noqa: N818
    """A request that is not consumed, and the developer-facing reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
