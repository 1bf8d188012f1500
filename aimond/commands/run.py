"""``aimond run``: the monitor itself, on the session bus, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import uvloop

from aimond import __version__, reload, sdnotify
from aimond.activation import Activation
from aimond.bus.connection import AlreadyRunning, private_address, session_address
from aimond.config import Config, ConfigError, load
from aimond.daemon import Daemon
from aimond.otlp.ports import PortInUse
from aimond.process import asked

_LOG: Final = logging.getLogger("aimond")
_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the settings again. 1: could not start, 2: config.toml is wrong."""
    try:
        config = load(arguments.config)
    except ConfigError as error:
        return _fail(str(error), 2)
    _log_to_stderr(config)
    try:
        with _bus() as address:
            uvloop.run(_serve(config, address, arguments.config))
    except ConfigError as error:
        return _fail(str(error), 2)
    except AlreadyRunning as other:
        return _fail(str(other))
    except PortInUse as taken:
        key = "grpc_port" if taken.port == config.otlp.grpc_port else "http_port"
        return _fail(f"{taken}; choose another one with `{key}` under [otlp] in config.toml, and tell the CLIs")
    except (OSError, subprocess.SubprocessError) as error:
        return _fail(f"cannot start: {error}")
    return 0


async def _serve(config: Config, address: str, file: Path | None) -> None:
    daemon = Daemon(config, address, Activation.inherit())
    loop = asyncio.get_running_loop()

    def ready(where: str) -> None:
        if not os.isatty(0):  # there, it says that the terminal is gone
            loop.add_signal_handler(signal.SIGHUP, take_settings)
        _ready(where)

    def take_settings() -> None:
        nonlocal config
        config = _reload(daemon, config, file)

    def stop() -> None:
        sdnotify.tell("STOPPING=1", sdnotify.status("stopping"))
        serving.cancel()

    if broker := asked.line():
        broker.await_start()
    serving = asyncio.ensure_future(daemon.run(ready))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await serving


def _ready(where: str) -> None:
    gc.freeze()  # what start-up made stays; and telemetry makes no rings that would need collecting often
    gc.set_threshold(20_000, 20, 50)
    if sdnotify.watchdog():
        faulthandler.enable()  # what systemd kills for not answering says where it was
        sdnotify.ping_from(asyncio.get_running_loop())
    sdnotify.tell("READY=1", sdnotify.status(f"listening: {where}"))
    _LOG.info("aimond %s is ready: org.ai.Monitor on the session bus, %s", __version__, where)


def _reload(daemon: Daemon, before: Config, file: Path | None) -> Config:
    """Take the settings as they are now; those of before are kept where they are wrong."""
    sdnotify.reloading()
    try:
        config = load(file)
        daemon.configure(config)
    except Exception as error:
        _LOG.error("the settings stay as they were: %s", error, exc_info=not isinstance(error, ConfigError))
        daemon.configure(before, str(error))
        sdnotify.tell("READY=1", sdnotify.status(f"the settings stay as they were: {error}"))
        return before
    keys = reload.changed(before, config)
    logging.getLogger().setLevel(config.log.level.upper())
    late = [key for key in keys if key in reload.AT_START]
    said = f"settings read again, changed: {', '.join(keys) or 'nothing'}"
    if late:
        said += f"; needs a restart: {', '.join(late)}"
    _LOG.log(logging.WARNING if late else logging.INFO, "%s", said)
    sdnotify.tell("READY=1", sdnotify.status(said))
    return config


@contextmanager
def _bus() -> Iterator[str]:
    """The address of the session bus; of a private one, started for us, where there is none."""
    address = session_address()
    path = Path(address.partition("unix:path=")[2].partition(",")[0])
    if "DBUS_SESSION_BUS_ADDRESS" in os.environ or path.is_socket():
        yield address
        return
    private = private_address()
    socket_path = Path(private.partition("unix:path=")[2])
    socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket_path.unlink(missing_ok=True)
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", f"--address={private}"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}  # it complains where it may not raise its limits
    with subprocess.Popen(command, start_new_session=True, **quiet) as daemon:  # type: ignore[call-overload]  # noqa: S603
        try:
            if not daemon.stdout or not daemon.stdout.readline():
                raise OSError("there is no session bus, and dbus-daemon cannot start a private one")
            _LOG.warning(
                "there is no session bus; started a private one. For other programs:\n"
                "  export DBUS_SESSION_BUS_ADDRESS=%s",
                private,
            )
            yield private
        finally:
            daemon.terminate()
            socket_path.unlink(missing_ok=True)


class _Prioritised(logging.Formatter):
    """Systemd's ``<N>`` before each message."""

    def format(self, record: logging.LogRecord) -> str:
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{super().format(record)}"


def _log_to_stderr(config: Config) -> None:
    handler = logging.StreamHandler(sys.stderr)
    under_systemd = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(_Prioritised("%(message)s") if under_systemd else logging.Formatter("aimond: %(message)s"))
    logging.basicConfig(level=config.log.level.upper(), handlers=[handler])


def _fail(message: str, status: int = 1) -> int:
    print(f"aimond: {message}", file=sys.stderr)
    return status
