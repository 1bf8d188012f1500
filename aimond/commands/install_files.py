"""What ``aimond install`` puts where: the package's data, as this program at this place needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

import aimond
from aimond.config import Config

# In a source checkout the data are where people look for them; in a wheel they lie in data/ as below a data home.
_CHECKOUT: Final = {"systemd": "systemd/user", "dbus": "dbus-1/services", "data": ""}
_RENDERED: Final = frozenset({".service", ".socket", ".desktop"})
_BINDIR: Final = "@bindir@"
_LISTENS: Final = re.compile(r"(?:ListenStream=.*\n)+")
# Where a distribution has installed the units, which name the default ports.
PORTS: Final = PurePath("systemd/user/aimond.socket.d/ports.conf")
# Where this machine lets no user have the namespaces that the service asks for: takes that back.
OPEN: Final = PurePath("systemd/user/aimond.service.d/namespaces.conf")
OPENED: Final = b"""[Service]
Environment=AIMOND_BROKER=
CapabilityBoundingSet=~
PrivateDevices=no
PrivateUsers=no
ProtectClock=no
ProtectControlGroups=no
ProtectHostname=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectSystem=no
"""


def wanted(bindir: PurePath, config: Config) -> dict[PurePath, bytes]:
    """Every file by its path below the data home; for a package whose distribution installs them itself, only where
    this user's sockets listen."""
    files = {place: _rendered(place, source.read_bytes(), bindir, config) for place, source in _sources()}
    return files or {PORTS: f"[Socket]\nListenStream=\n{_listens(config)}".encode()}


def _sources() -> Iterator[tuple[PurePath, Path]]:
    """Where each file belongs, and where it is."""
    package = Path(aimond.__file__).parent
    checkout = package.parent if (package.parent / "pyproject.toml").is_file() else None
    roots = {checkout / name: place for name, place in _CHECKOUT.items()} if checkout else {package / "data": ""}
    for root, place in roots.items():
        for source in sorted(root.rglob("*")):
            if source.is_file() and source.suffix != ".xml":
                yield PurePath(place) / source.relative_to(root), source


def _rendered(place: PurePath, content: bytes, bindir: PurePath, config: Config) -> bytes:
    if place.suffix not in _RENDERED:
        return content
    text = content.decode()
    if place.suffix == ".socket":
        text = listening(text, config)
    quote = _for_systemd if place.is_relative_to("systemd") else _for_dbus
    return text.replace(_BINDIR, quote(str(bindir))).encode()


def listening(socket_unit: str, config: Config) -> str:
    """The unit with the addresses and ports of config.toml; it listens for nothing that is off or has no fixed port."""
    listens = _listens(config)
    return _LISTENS.sub(lambda _: listens, socket_unit)


def _listens(config: Config) -> str:
    otlp = config.otlp
    ports = (otlp.http_port if otlp.http else 0, otlp.grpc_port if otlp.grpc else 0)
    hosts = [f"[{host}]" if ":" in host else host for host in otlp.bind]
    places = [f"{host.replace('%', '%%')}:{port}" for port in ports if port for host in hosts]
    places += ["%t/aimond/hook"] if config.hooks.socket else []
    return "".join(f"ListenStream={place}\n" for place in places)


def _for_systemd(path: str) -> str:
    """As systemd.service(5) reads a path in a command line."""
    return re.sub(r"[\s\"'\\;]", lambda odd: f"\\x{ord(odd[0]):02x}", path.replace("%", "%%").replace("$", "$$"))


def _for_dbus(path: str) -> str:
    """As dbus-daemon(1) and desktop entries read it: like a shell, but for the last."""
    return re.sub(r"([\s\"'\\$`])", r"\\\1", path)
