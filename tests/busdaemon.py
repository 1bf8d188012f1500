"""A session bus of one's own for tests: it can be stopped, started again at the same address, and made to stall."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

# The limits are those of a real session bus; services to be activated are put into services/.
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">1000000000</limit>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
"""


class PrivateBus:
    """``with PrivateBus() as bus:`` starts a dbus-daemon and waits until it takes connections at ``bus.address``."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="aimond-bus-", dir="/tmp")  # a socket's path must be short
        self.directory = Path(self._temporary.name)
        self.services = self.directory / "services"
        self.services.mkdir()
        self.address = f"unix:path={self.directory}/bus"
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to use this bus, with sockets and a history of their own."""
        # Whoever runs the tests may sit in a Sway of their own.
        others = {name: text for name, text in os.environ.items() if name not in ("SWAYSOCK", "I3SOCK")}
        ours = {"XDG_RUNTIME_DIR": str(self.directory), "XDG_STATE_HOME": str(self.directory / "state")}
        return {**others, **ours, "DBUS_SESSION_BUS_ADDRESS": self.address}

    def start(self) -> None:
        """Start a daemon, at the same address each time."""
        config = self.directory / "bus.conf"
        config.write_text(CONFIG.format(directory=self.directory))
        command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"]
        self._daemon = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._daemon.stdout
        assert self._daemon.stdout.readline(), "dbus-daemon did not start"

    def stop(self) -> None:
        """The bus dies, as at a crash: everybody is cut off."""
        if self._daemon:
            self._daemon.kill()
            self._daemon.wait()
            assert self._daemon.stdout
            self._daemon.stdout.close()
            self._daemon = None

    def stall(self) -> None:
        """The bus takes nothing and gives nothing until ``resume``."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a stall."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon
        self._daemon.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._temporary.cleanup()
