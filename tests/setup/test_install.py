"""``aimond install`` in a home without systemd: what is written where, with what in it, and how it goes again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimond.commands import install_files
from aimond.commands.install_files import listening, wanted
from aimond.config import Config
from tests.busdaemon import PrivateBus

AIMOND = Path(sys.executable).with_name("aimond")
ROOT = Path(__file__).parents[2]
SERVICE, SOCKET, ACTIVATION = (
    "systemd/user/aimond.service",
    "systemd/user/aimond.socket",
    "dbus-1/services/org.ai.Monitor.service",
)


class Home:
    """A home, its data home elsewhere, and a bus; no manager of systemd answers there."""

    def __init__(self, directory: Path, bus: PrivateBus) -> None:
        self.config = directory / "config" / "aimond" / "config.toml"
        self.config.parent.mkdir(parents=True)
        self.data = directory / "data"
        homes = {name: str(directory / name.lower()) for name in ("STATE", "CONFIG", "DATA")}
        self.environment = bus.environment | {f"XDG_{name}_HOME": home for name, home in homes.items()}
        self.environment |= {"HOME": str(directory)}

    def install(self, *options: str, status: int = 0) -> str:
        command = (AIMOND, "install", *options)
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    def files(self) -> set[str]:
        return {str(path.relative_to(self.data)) for path in self.data.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with PrivateBus() as bus:
        yield Home(tmp_path, bus)


def test_it_puts_everything_where_programs_look_and_says_so(home: Home) -> None:
    said = home.install()
    assert home.files() >= {SERVICE, SOCKET, ACTIVATION}
    assert all(f"write {home.data / file}" in said for file in home.files())
    assert f"\nExecStart={AIMOND} run\n" in (home.data / SERVICE).read_text()
    assert f"\nExec={AIMOND} run\n" in (home.data / ACTIVATION).read_text()
    assert all("@bindir@" not in (home.data / file).read_text(errors="ignore") for file in home.files())


def test_without_systemd_it_says_what_is_left_to_do(home: Home) -> None:
    said = home.install()
    assert "exec aimond run" in said
    assert "systemctl" not in said


def test_the_bus_starts_it_without_systemd(home: Home) -> None:
    """A bus reads the services of the data home when it starts, as that of a desktop does."""
    home.install()
    home.config.write_text("[otlp]\nhttp_port = 0\ngrpc_port = 0\n[hooks]\nsocket = false\n")
    bus = "busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus"
    ask = "busctl --user get-property org.ai.Monitor /org/ai/Monitor org.ai.Monitor Version"
    end = f"set -- $({bus} GetConnectionUnixProcessID s org.ai.Monitor); kill $2"
    command = ["dbus-run-session", "--", "sh", "-c", f"{ask}; {end}"]
    done = subprocess.run(command, env=home.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith('s "'), done.stderr


def test_again_it_changes_nothing(home: Home) -> None:
    home.install()
    before = {file: (home.data / file).stat().st_mtime_ns for file in home.files()}
    assert "write" not in home.install()
    assert {file: (home.data / file).stat().st_mtime_ns for file in home.files()} == before


def test_what_was_removed_is_gone_and_what_is_the_users_stays(home: Home) -> None:
    home.config.write_text("")
    home.install()
    said = home.install("--remove")
    assert not home.files()
    assert list(home.data.iterdir()) == []
    assert f"kept: {home.config.parent}" in said
    assert home.install("--remove").count("remove ") == 0


def test_a_dry_run_tells_and_does_nothing(home: Home) -> None:
    assert f"would: write {home.data / SERVICE}" in home.install("--dry-run")
    assert not home.data.exists()
    home.install()
    assert f"would: remove {home.data / SERVICE}" in home.install("--dry-run", "--remove")
    assert SERVICE in home.files()


def test_a_link_is_somebody_elses(home: Home, tmp_path: Path) -> None:
    (home.data / SERVICE).parent.mkdir(parents=True)
    (home.data / SERVICE).symlink_to(tmp_path / "store")
    assert "home-manager" in home.install(status=1)
    assert not (tmp_path / "store").exists()


def test_a_wrong_configuration_ends_it_before_anything_is_written(home: Home) -> None:
    home.config.write_text("[otlp]\nport = 1\n")
    assert "otlp.port" in home.install(status=2)
    assert not home.data.exists()


@pytest.mark.parametrize(
    ("settings", "there", "gone"),
    [
        ({}, ["127.0.0.1:4318", "[::1]:4318", "127.0.0.1:4317", "%t/aimond/hook"], []),
        ({"otlp": {"http_port": 5318, "grpc_port": 5317}}, ["[::1]:5318", "127.0.0.1:5317"], [":4318", ":4317"]),
        ({"otlp": {"http_port": 4317, "grpc_port": 4318}}, ["127.0.0.1:4318", "[::1]:4317"], []),
        ({"otlp": {"grpc": False}}, ["127.0.0.1:4318"], ["4317"]),
        ({"otlp": {"http_port": 0}}, ["127.0.0.1:4317"], ["4318", ":0"]),
        ({"otlp": {"bind": ["10.0.0.1"]}}, ["10.0.0.1:4318", "10.0.0.1:4317"], ["127.0.0.1", "[::1]"]),
        ({"otlp": {"bind": ["::", "0.0.0.0"], "grpc": False}}, ["[::]:4318", "0.0.0.0:4318"], ["127.0.0.1", "4317"]),
        ({"hooks": {"socket": False}}, ["127.0.0.1:4318"], ["%t"]),
    ],
)
def test_systemd_listens_where_the_settings_say(
    settings: dict[str, dict[str, object]], there: list[str], gone: list[str]
) -> None:
    unit = listening((ROOT / "systemd" / "aimond.socket").read_text(), Config.model_validate(settings))
    assert all(f"\nListenStream={place}\n" in unit for place in there)
    assert not [place for place in gone if place in unit]


def test_of_a_package_only_where_this_users_sockets_listen_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its distribution has the units, for all users of the machine."""
    monkeypatch.setattr(install_files, "_sources", list)
    files = wanted(Path("/usr/bin"), Config.model_validate({"otlp": {"http_port": 5318, "grpc": False}}))
    drop_in = "[Socket]\nListenStream=\nListenStream=127.0.0.1:5318\nListenStream=[::1]:5318\n"
    assert files == {install_files.PORTS: f"{drop_in}ListenStream=%t/aimond/hook\n".encode()}


@pytest.mark.parametrize(
    ("bindir", "unit", "bus"),
    [
        ("/usr/bin", "ExecStart=/usr/bin/aimond run", "Exec=/usr/bin/aimond run"),
        ("/home/a b/bin", r"ExecStart=/home/a\x20b/bin/aimond run", r"Exec=/home/a\ b/bin/aimond run"),
        ("/home/100%$x", "ExecStart=/home/100%%$$x/aimond run", r"Exec=/home/100%\$x/aimond run"),
    ],
)
def test_odd_paths_are_written_as_each_reader_reads_them(bindir: str, unit: str, bus: str) -> None:
    texts = {str(place): content.decode() for place, content in wanted(Path(bindir), Config()).items()}
    assert f"\n{unit}\n" in texts[SERVICE]
    assert f"\n{bus}\n" in texts[ACTIVATION]
