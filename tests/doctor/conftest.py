"""A home with fake CLIs, ports of its own, and a monitor where one is wanted; ``aimond doctor`` run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimond.__main__ import main
from aimond.commands import hook
from aimond.otlp.ports import listen
from tests.busdaemon import PrivateBus

FAKE = Path(__file__).parent / "fake.py"


def free_ports() -> tuple[int, int]:
    sockets = [*listen(("127.0.0.1",), 0), *listen(("127.0.0.1",), 0)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return numbers[0], numbers[1]


@dataclass
class Place:
    """A bus, perhaps with a monitor, and the ports that it has, or would have."""

    bus: PrivateBus
    http: int
    grpc: int

    @property
    def config(self) -> str:
        return f"[otlp]\nhttp_port = {self.http}\ngrpc_port = {self.grpc}\n"


@contextmanager
def running(place: Place, config: Path) -> Iterator[Place]:
    config.write_text(place.config)
    command = [sys.executable, "-m", "aimond", "run", "--config", str(config)]
    with subprocess.Popen(command, env=place.bus.environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            assert "is ready" in process.stderr.readline()
            yield place
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def quiet_bus() -> Iterator[Place]:
    """A bus on which there is no monitor."""
    with PrivateBus() as bus:
        yield Place(bus, *free_ports())


@pytest.fixture(scope="session")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A monitor, the same for all."""
    with PrivateBus() as bus, running(Place(bus, *free_ports()), tmp_path_factory.mktemp("all") / "c.toml") as place:
        yield place


@pytest.fixture
def own_monitor(tmp_path: Path) -> Iterator[Place]:
    """A monitor that has heard nothing yet."""
    with PrivateBus() as bus, running(Place(bus, *free_ports()), tmp_path / "c.toml") as place:
        yield place


@dataclass(frozen=True)
class Said:
    """What doctor said of its findings, by severity."""

    status: int
    report: dict[str, Any]

    def cli(self, name: str) -> Any:
        return self.report["clis"][name]

    def of(self, name: str, severity: str) -> list[str]:
        where = self.report["monitor"] if name == "monitor" else self.cli(name)
        return [f"{each['about']}: {each['what']}" for each in where["findings"] if each["severity"] == severity]

    def wrong(self, name: str) -> list[str]:
        return self.of(name, "wrong")

    @property
    def todo(self) -> list[str]:
        return list(self.report["todo"])


@dataclass
class Home:
    """A directory that is HOME, with nothing of the real one in the environment."""

    path: Path
    place: Place
    capsys: pytest.CaptureFixture[str]
    opened: ExitStack = field(default_factory=ExitStack)

    def install(self, *names: str) -> None:
        for name in names:
            program = self.path / "bin" / name
            program.write_text(f"#!{sys.executable} -IS\n{FAKE.read_text()}")
            program.chmod(0o755)

    def setup(self, *arguments: str) -> None:
        assert main(["setup", *arguments]) == 0
        self.capsys.readouterr()

    def write(self, name: str, content: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def change(self, name: str, *pairs: tuple[str, str]) -> None:
        text = (self.path / name).read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        (self.path / name).write_text(text)

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())

    def doctor(self, *arguments: str) -> Said:
        self.capsys.readouterr()
        status = main(["doctor", *arguments, "--json"])
        return Said(status, json.loads(self.capsys.readouterr().out))

    def print(self, *arguments: str) -> str:
        self.capsys.readouterr()
        main(["doctor", *arguments])
        out, err = self.capsys.readouterr()
        assert err == ""
        return out

    def start(self, name: str, *more: str, **environment: str) -> Callable[[dict[str, str]], None]:
        """A CLI that runs until the test is over, and the way to tell it what to do; its pid is in ``pid``."""
        command = [self.path / "bin" / name, f"http://127.0.0.1:{self.place.http}/v1/logs"]
        command += [sys.executable, "-I", "-S", hook.__file__, name, *more]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = self.opened.enter_context(subprocess.Popen(command, env={**os.environ, **environment}, **pipes))
        self.opened.callback(process.stdin.close)
        self.pid = int(process.stdout.readline())

        def tell(what: dict[str, str]) -> None:
            process.stdin.write(json.dumps(what) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        return tell


@pytest.fixture
def at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[Place], Home]]:
    """A new home at a place."""
    with ExitStack() as opened:

        def home(place: Place) -> Home:
            for name in list(os.environ):
                if name.startswith(("OTEL_", "GEMINI_", "CLAUDE_", "CODEX_", "XDG_", "NO_COLOR")):
                    monkeypatch.delenv(name)
            path = tmp_path / "home"
            for each in ("work", "bin"):
                (path / each).mkdir(parents=True)
            for name, value in {
                "HOME": str(path),
                "PATH": f"{path}/bin:/usr/bin:/bin",
                "DBUS_SESSION_BUS_ADDRESS": place.bus.address,
                "XDG_RUNTIME_DIR": str(place.bus.directory),
            }.items():
                monkeypatch.setenv(name, value)
            monkeypatch.chdir(path / "work")
            made = Home(path, place, capsys, opened)
            made.write(".config/aimond/config.toml", place.config)
            return made

        yield home


@pytest.fixture
def home(at: Callable[[Place], Home], monitor: Place) -> Home:
    """A new home, beside the monitor that has heard of others already."""
    return at(monitor)
