"""From the source to a service and back: wheel, sdist, a clean home, the Debian package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimond import __version__
from tests.e2e.login import ROOT, Login, possible, until

STATE = ("busctl", "--user", "get-property", "org.ai.Monitor", "/org/ai/Monitor", "org.ai.Monitor", "State")
BUS = (
    "busctl",
    "--user",
    "--json=short",
    "call",
    "org.freedesktop.DBus",
    "/org/freedesktop/DBus",
    "org.freedesktop.DBus",
)


def run(*words: str | Path, **more: str) -> str:
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}"
    return done.stdout


def data() -> set[str]:
    """What a package brings for other programs, as below a data home."""
    files = {f"systemd/user/{path.name}" for path in (ROOT / "systemd").iterdir()}
    files |= {str(path.relative_to(ROOT / "data")) for path in (ROOT / "data").rglob("*") if path.is_file()}
    return files | {"dbus-1/services/org.ai.Monitor.service"}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every user can read."""
    with tempfile.TemporaryDirectory(prefix="aimond-packages-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def packages(place: Path) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    run(sys.executable, "-m", "hatchling", "build", "--directory", place)
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture
def login(place: Path) -> Iterator[Login]:
    if why := possible():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    with Login(place) as login:
        del login.environment["PYTHONPATH"]
        yield login


def everything(login: Login) -> set[str]:
    """All of the user's files, and directories of ours; but for what systemd itself keeps."""
    itself = (f"{login.runtime}/systemd", f"{login.home}/.config/systemd")
    not_these = [word for path in itself for word in ("-path", path, "-prune", "-o")]
    these = ("(", "!", "-type", "d", "-o", "-name", "*aimond*", ")", "-print")
    return set(login.run("find", login.home, login.runtime, *not_these, *these).split())


def activatable(login: Login) -> bool:
    return "org.ai.Monitor" in json.loads(login.run(*BUS, "ListActivatableNames"))["data"][0]


def test_the_wheel_and_the_sdist_have_everything(packages: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, sdist = packages
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.removeprefix("aimond/data/") for name in names if name.startswith("aimond/data/")} == data()
    assert "aimond/bus/org.ai.Monitor.xml" in names
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-cache-dir")
    run(*pip, "--wheel-dir", tmp_path, tmp_path / f"aimond-{__version__}")
    (again,) = tmp_path.glob("*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(names)


def test_in_a_clean_home_it_becomes_a_service_and_leaves_nothing(
    packages: tuple[Path, Path], place: Path, login: Login
) -> None:
    """As pipx does it: an environment of its own, and the program in it."""
    run(sys.executable, "-m", "venv", place / "venv")
    pip = (place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "requirements.lock")
    run(*pip, packages[0])
    aimond = place / "venv/bin/aimond"
    before = everything(login)
    said = login.run(aimond, "install")
    assert "aimond setup" in said
    assert login.run(*STATE) == 's "none"'
    assert login.systemctl("is-enabled", "aimond.socket", "aimond.service").split() == ["enabled", "enabled"]
    service = login.home / ".local/share/systemd/user/aimond.service"
    assert f"ExecStart={aimond} run" in service.read_text()
    pid = login.shows("aimond.service", "MainPID")
    again = login.run(aimond, "install")
    assert "write" not in again
    assert login.shows("aimond.service", "MainPID") == pid, "nothing changed, so nothing was restarted"

    settings = login.home / ".config/aimond/config.toml"
    login.write(settings, "[otlp]\nhttp_port = 4444\ngrpc = false\n")
    login.run(aimond, "install")
    listens = login.systemctl("show", "aimond.socket", "--property=Listen")
    assert ("127.0.0.1:4444" in listens, ":4317" in listens) == (True, False)
    until(lambda: "port 4444" in login.shows("aimond.service", "StatusText")["StatusText"], "the other port")

    assert f"kept: {settings.parent}" in login.run(aimond, "install", "--remove")
    assert not activatable(login)
    assert "aimond" not in login.systemctl("list-unit-files", "aimond*", check=False)
    left = everything(login) - before
    state = str(login.home / ".local/state/aimond")
    assert {path for path in left if not path.startswith(state)} == {str(settings.parent), str(settings)}
    assert login.run("find", login.home / ".config/systemd", "!", "-type", "d") == ""


def test_the_debian_package_installs_works_and_goes(login: Login) -> None:
    run("tools/deb.sh")
    (package,) = (ROOT / "dist").glob(f"aimond_{__version__}_*.deb")
    run("lintian", "--fail-on", "error", "--allow-root", package)
    shutil.copy(package, login.directory)
    login.layer("/usr", "/var/lib/dpkg")
    ours = ("find", "/usr", "/var/lib/dpkg/info", "-path", "*aimond*", "-o", "-name", "org.ai.Monitor*")
    assert login.administer(*ours) == ""
    login.administer("dpkg", "--install", login.directory / package.name)
    assert login.run("aimond", "--version") == f"aimond {__version__}"
    login.systemctl("daemon-reload")
    login.run(*BUS, "ReloadConfig")
    assert login.run(*STATE) == 's "none"', "a program asks, and it is there"
    assert login.shows("aimond.service", "ActiveState") == {"ActiveState": "active"}
    assert "came as a package" in login.run("aimond", "install")
    assert login.systemctl("is-enabled", "aimond.socket") == "enabled"
    for file in (file.replace("site-functions", "vendor-completions") for file in data()):
        at = Path("/usr/lib" if file.startswith("systemd/") else "/usr/share", file)
        assert login.administer("find", at.parent, "-name", f"{at.name}*"), file  # manual pages are compressed
    login.run("aimond", "install", "--remove")
    login.administer("dpkg", "--purge", "aimond")
    assert login.administer(*ours) == ""
