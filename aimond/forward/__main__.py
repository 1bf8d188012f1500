"""``python -m aimond.forward``: the process that sends. The monitor starts it, and it ends with the monitor.

On stdin: the monitor's configuration as a line of JSON, then a byte whenever something was written to the spool; its
end is the end of this process. On stdout: a line of JSON about each change (``courier.Report``)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from decimal import Decimal
from typing import Final
from urllib.parse import unquote

from aimond.config import Config
from aimond.core.usage import Usage
from aimond.forward import spool
from aimond.forward.courier import Courier, Exporter, Report
from aimond.forward.normalize import Normalizer
from aimond.forward.reading import Reader
from aimond.forward.upstream import Upstream
from aimond.pricing import Prices
from aimond.sections import Forward

LAST_WORDS: Final = 1.0  # seconds to finish what is being sent
NICE: Final = 5  # whoever sits at the desktop goes first


class Bell:
    """Rings when there is a byte on stdin, and for good when that has ended."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._ended = False

    def listen(self) -> None:
        """Until the end of stdin, and then of this process."""
        while os.read(sys.stdin.fileno(), 4096):
            self._rung.set()
        self._ended = True
        self._rung.set()
        threading.Event().wait(LAST_WORDS)
        os._exit(0)

    def wait(self, seconds: float | None) -> bool:
        """Until it rings, or for so many seconds. False if this is the end."""
        self._rung.wait(seconds)
        if self._ended:
            return False
        self._rung.clear()
        return True


def main() -> None:
    """Send until stdin ends: neither Ctrl-C nor systemd, which signal all at once, come before what is on its way."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    config = Config.model_validate_json(_line())
    forward = config.forward
    with suppress(PermissionError):  # by the unit's filter of system calls
        os.nice(NICE)
    directory = spool.place()
    bell = Bell()
    threading.Thread(target=bell.listen, daemon=True).start()
    prices = Prices(config.prices.models, update=config.prices.update)

    def price(provider: str, model: str, usage: Usage, at: int, fast: bool) -> Decimal | None:
        return prices.price(provider, model, usage, at, fast=fast).cost

    normalizer = Normalizer(price, privacy=forward.privacy, drop_noise=forward.drop_noise)
    Courier(
        Reader(directory),
        exporter(forward),
        instance=spool.instance(directory),
        wait=bell.wait,
        tell=_tell,
        normalizer=normalizer if forward.mode == "normalized" else None,
        linger=forward.linger,
    ).run()


def exporter(forward: Forward) -> Exporter:
    """Whatever speaks that protocol; the other one's code is not even loaded."""
    upstream = Upstream(
        endpoint=forward.endpoint,
        headers=(*forward.headers.items(), *_headers(os.environ.get(forward.headers_env, ""))),
        compression=forward.compression,
        timeout=forward.timeout,
        ca=forward.ca,
        cert=forward.cert,
        key=forward.key,
    )
    if forward.protocol == "grpc":
        from aimond.forward.grpc import GrpcExporter

        return GrpcExporter(upstream)
    from aimond.forward.http import HttpExporter

    return HttpExporter(upstream)


def _headers(listed: str) -> list[tuple[str, str]]:
    """As OTEL_EXPORTER_OTLP_HEADERS has them: ``name=value,name=value``, values percent-encoded."""
    pairs = (each.partition("=") for each in listed.split(",") if "=" in each)
    return [(name.strip(), unquote(text.strip())) for name, _, text in pairs]


def _line() -> bytes:
    """The first line of stdin, and no byte more."""
    line = bytearray()
    while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


def _tell(report: Report) -> None:
    os.write(sys.stdout.fileno(), report.line().encode() + b"\n")


if __name__ == "__main__":
    main()
