"""The monitor under soak: a process that is killed and started again, and what can be seen of it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.busdaemon import PrivateBus
from tests.daemon.test_command_line import Desktop

CONFIG = "\n[otlp]\nhttp_port = {http}\ngrpc_port = {grpc}\nqueue = 100000\n"


@dataclass
class Monitor:
    bus: PrivateBus
    home: Path
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desktop = Desktop(self.bus, self.home)
        self.desktop.config.write_text(CONFIG.format(http=self.desktop.http, grpc=self.desktop.grpc))
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "aimond", "run"]
        environment = self.desktop.environment
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(60), self.log[-20:]

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.log.append(line.rstrip())
            if "is ready" in line:
                self._ready.set()

    def stop(self, *, kill: bool) -> None:
        (self._process.kill if kill else self._process.terminate)()
        self._process.wait(60)
        self._reader.join(10)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def private(self) -> int:
        """Bytes of memory that are its own."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith(("Private_", "Swap:")))

    @property
    def zombies(self) -> int:
        dead = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            dead += int(fields[1]) == self.pid and fields[0] == "Z"
        return dead

    @property
    def busy(self) -> float:
        """CPU seconds of this run."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def defects(self) -> list[str]:
        """Lines of its log that no fault explains."""
        words = ("Traceback", "please report", "Exception in callback", "never retrieved", "Fatal error")
        return [line for line in self.log if any(word in line for word in words)]
