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
from tests.e2e import bare
from tests.e2e.login import ROOT, Login, possible, until
from tests.e2e.service import POST

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
KEPT = ("history.sqlite3", "history.sqlite3.lock")


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
    login.write(settings, "[otlp]\nhttp_port = 4444\ngrpc = false\nbind = ['127.0.0.2']\n")
    login.run(aimond, "install")
    listens = login.systemctl("show", "aimond.socket", "--property=Listen")
    assert [place in listens for place in ("127.0.0.2:4444", "127.0.0.1", "::", ":4317")] == [True, False, False, False]
    until(lambda: "port 4444" in login.shows("aimond.service", "StatusText")["StatusText"], "the other port")

    assert login.run("/usr/bin/python3", "-c", POST, "http://127.0.0.2:4444/v1/logs", "{}") == "200"
    login.write(settings, "[otlp]\nhttp_port = 4444\ngrpc = false\n")
    login.systemctl("restart", "aimond.service")  # without another socket, it listens where it is told to by itself
    assert login.run("/usr/bin/python3", "-c", POST, "http://127.0.0.1:4444/v1/logs", "{}") == "200"

    assert f"kept: {settings.parent}" in login.run(aimond, "install", "--remove")
    assert not activatable(login)
    assert "aimond" not in login.systemctl("list-unit-files", "aimond*", check=False)
    left = everything(login) - before
    state = str(login.home / ".local/state/aimond")
    assert {path for path in left if not path.startswith(state)} == {str(settings.parent), str(settings)}
    assert login.run("find", login.home / ".config/systemd", "!", "-type", "d") == ""


@pytest.fixture(scope="module")
def deb() -> Path:
    """The Debian package."""
    run("tools/deb.sh")
    (package,) = (ROOT / "dist").glob(f"aimond_{__version__}_*.deb")
    return package


def test_lintian_finds_no_error_in_the_debian_package(deb: Path) -> None:
    run("lintian", "--fail-on", "error", "--allow-root", deb)


def test_on_a_bare_debian_12_the_package_installs_works_and_goes(deb: Path) -> None:
    """With a manager, a bus and a Python that come with it, and nothing of this machine."""
    if why := possible():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    ours = ("find", "/", "-xdev", "-path", "*aimond*", "-o", "-xdev", "-name", "org.ai.Monitor*")
    with bare.system("bookworm") as root:
        assert bare.administer(root, "sh", "-c", "command -v python3 dbus-daemon systemctl || true") == ""
        shutil.copy(deb, root / "tmp/package.deb")
        bare.administer(root, "sh", "-c", "! dpkg --install /tmp/package.deb")  # what it needs is missing
        bare.administer(root, *bare.APT, "--fix-broken", "install")
        with Login(root=root) as login:
            before = everything(login)
            assert login.run("aimond", "--version") == f"aimond {__version__}"
            assert login.run(*STATE) == 's "none"', "a program asks, and it is there"
            assert login.shows("aimond.service", "ActiveState") == {"ActiveState": "active"}
            assert "came as a package" in login.run("aimond", "install")
            assert login.systemctl("is-enabled", "aimond.socket") == "enabled"
            login.systemctl("stop", "aimond.service")
            assert login.run("/usr/bin/python3", "-c", POST, "http://127.0.0.1:4318/v1/logs", "{}") == "200"
            settings = login.home / ".config/aimond/config.toml"
            login.write(settings, "[otlp]\nhttp_port = 5318\ngrpc_port = 5317\n")  # as the second user of a machine
            login.run("aimond", "install")
            listens = login.systemctl("show", "aimond.socket", "--property=Listen")
            assert (":4318" in listens, ":4317" in listens) == (False, False)
            assert login.run("/usr/bin/python3", "-c", POST, "http://[::1]:5318/v1/logs", "{}") == "200"
            assert login.run("aimond", "doctor").splitlines()[-1] == "Nothing to do"
            for file in (file.replace("site-functions", "vendor-completions") for file in data()):
                at = Path("/usr/lib" if file.startswith("systemd/") else "/usr/share", file)
                assert login.administer("find", at.parent, "-name", f"{at.name}*"), file  # manual pages are compressed
            state = login.home / ".local/state/aimond"
            assert f"kept: {state}" in login.run("aimond", "install", "--remove")
            login.administer("dpkg", "--purge", "aimond")
            left = set(login.administer(*ours).splitlines())
            assert {file for file in left if not file.startswith((str(login.directory), "/proc", "/sys"))} == set()
            assert everything(login) - before == {
                *(str(settings.parent), str(settings), str(state)),
                *(f"{state}/{name}" for name in KEPT),
            }
