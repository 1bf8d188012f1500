"""Who has the port."""

from __future__ import annotations

import errno
import gc
import os
import socket
from pathlib import Path

import pytest

from aimond.otlp import ports


def close(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def test_all_addresses_get_the_same_port() -> None:
    listeners = ports.listen(["127.0.0.1", "::1"], 0)
    assert {listener.family for listener in listeners} == {socket.AF_INET, socket.AF_INET6}
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    close(listeners)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_names_its_holder_and_leaves_nothing_open(host: str) -> None:
    holder = ports.listen([host], 0)
    port = holder[0].getsockname()[1]
    gc.collect()  # what other tests left closes here, and not in between
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ports.PortInUse) as raised:
        ports.listen(["127.0.0.1", "::1"], port)
    comm = Path("/proc/self/comm").read_text().strip()
    assert (raised.value.port, raised.value.holder) == (port, f"{comm} (pid {os.getpid()})")
    assert str(raised.value) == f"port {port} is in use by {comm} (pid {os.getpid()})"
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    close(holder)


def test_a_holder_that_cannot_be_seen_is_another_program() -> None:
    assert str(ports.PortInUse(4318, "")) == "port 4318 is in use by another program"


def test_a_machine_without_ipv6_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], *, family: int, **rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return create(address, family=family, **rest)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    listeners = ports.listen(["127.0.0.1", "::1"], 0)
    assert [listener.family for listener in listeners] == [socket.AF_INET]
    close(listeners)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        ports.listen(["192.0.2.1"], 0)
