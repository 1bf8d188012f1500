"""Who is at the other end of a connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimond.process import peer, proc, program, sockets
from aimond.process.sockets import Address, Socket
from tests.process.living import NOBODY, connection, crowd, python, quickest, running, until

FAMILIES = ["127.0.0.1", "::1"]

# Where the server listens, and what is dialled: each family, and a server that takes both.
ENDS = [("127.0.0.1", ""), ("::1", ""), ("::", "127.0.0.1"), ("::", "::1")]


def names(ours: socket.socket) -> tuple[Address, Address]:
    """Our end and the other, as a server knows them."""
    return ours.getsockname()[:2], ours.getpeername()[:2]


def nobody() -> Iterator[int]:
    raise AssertionError("nobody else should be looked at")
    yield 0


@pytest.fixture(params=["sock_diag", "/proc/net"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the kernel tells of its sockets."""
    if request.param == "/proc/net":
        monkeypatch.setattr(sockets, "_SOCK_DIAG", 31)  # netlink knows no such protocol
    return str(request.param)


@pytest.mark.parametrize(("host", "dialled"), ENDS)
def test_the_process_that_connected_is_found(source: str, host: str, dialled: str) -> None:
    with connection(host, dialled) as (process, ours):
        local, remote = names(ours)
        assert peer.pid_of(local, remote) == process.pid
        assert peer.pid_of(local, remote, inode=peer.owned(local, remote) or 0) == process.pid
        inode = Path(f"/proc/{process.pid}/fd/3").readlink().name.strip("socket:[]")
        assert sockets.find(remote, local) == Socket(int(inode), os.getuid())


def test_a_socket_for_both_families_that_dialled_ipv4_is_found(source: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"s = socket.socket(socket.AF_INET6)\ns.connect(('::ffff:127.0.0.1', {port}))"
        with running(python(code)) as process:
            ours, _ = server.accept()
            with ours:
                assert peer.pid_of(*names(ours)) == process.pid


def test_our_own_process_is_found_too(source: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        ours, _ = server.accept()
        with ours:
            assert peer.pid_of(*names(ours)) == os.getpid()
            assert peer.pid_of(client.getsockname(), client.getpeername()) == os.getpid()


def test_who_is_likely_is_looked_at_first_and_nobody_else() -> None:
    with connection("127.0.0.1") as (process, ours), running(python("")) as other:
        found = sockets.find(*reversed(names(ours)))
        assert found

        def likely() -> Iterator[int]:
            yield from (2**22 + 1, other.pid, process.pid)
            yield from nobody()

        assert peer.holder(found.inode, likely()) == process.pid
        assert peer.pid_of(*names(ours), likely()) == process.pid


def test_who_is_not_among_the_likely_is_found_all_the_same() -> None:
    with connection("127.0.0.1") as (process, ours), running(python("")) as other:
        assert peer.pid_of(*names(ours), [other.pid, other.pid, -1]) == process.pid


def test_a_program_is_likely_by_its_name() -> None:
    with connection("127.0.0.1") as (process, ours):
        fitting = program.running(frozenset({program.programs(process.pid)[0].rpartition("/")[2]}))
        assert peer.pid_of(*names(ours), fitting) == process.pid


@pytest.mark.parametrize("host", FAMILIES)
def test_a_connection_that_children_inherited_is_their_elders(host: str) -> None:
    with connection(host, code="if os.fork(): time.sleep(60)\nif os.fork(): time.sleep(60)") as (process, ours):
        below = [pid for pid in proc.pids() if process.pid in proc.ancestors(pid)]
        assert len(below) == 2
        assert peer.pid_of(*names(ours)) == process.pid
        for pid in below:
            assert peer.pid_of(*names(ours), [pid]) == process.pid


def test_a_connection_that_only_the_child_has_kept_is_the_childs() -> None:
    code = "if os.fork():\n s.close()\n time.sleep(60)\ntime.sleep(.05)"
    with connection("127.0.0.1", code=code) as (process, ours):
        (child,) = (pid for pid in proc.pids() if proc.parent(pid) == process.pid)
        assert peer.pid_of(*names(ours)) == child


def test_a_connection_whose_maker_is_gone_is_its_heirs() -> None:
    code = "if os.fork():\n time.sleep(.1)\n os._exit(0)\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    with connection("127.0.0.1", code=code) as (process, ours):
        found = peer.pid_of(*names(ours))
        assert found not in (0, process.pid)
        assert proc.parent(found) != process.pid


def test_a_connection_of_another_user_is_nobodys(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root can make one; anybody else can be another user than the one whose it is.
    other = os.geteuid() == 0
    drop = f"s.close()\nos.setresuid({NOBODY}, {NOBODY}, {NOBODY})\ns = socket.create_connection(peer)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        code = f"peer = {address!r}\ns = socket.create_connection(peer)\n{drop if other else ''}"
        with running(python(code)) as process:
            ours = [server.accept()[0] for _ in range(1 + other)]
            local, remote = names(ours[-1])
            found = sockets.find(remote, local)
            assert found
            assert found.uid == (NOBODY if other else os.geteuid())
            if not other:
                monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
            assert peer.pid_of(local, remote, [process.pid]) == 0
            for each in ours:
                each.close()


def test_a_connection_that_was_closed_is_nobodys(source: str) -> None:
    with connection("127.0.0.1") as (process, ours):
        local, remote = names(ours)
        process.kill()
        process.wait()
        until(lambda: sockets.find(remote, local) is None)
        assert peer.pid_of(local, remote) == 0


def test_a_connection_that_is_half_closed_is_still_somebodys(source: str) -> None:
    with connection("127.0.0.1", code="s.shutdown(socket.SHUT_WR)") as (process, ours):
        assert peer.pid_of(*names(ours)) == process.pid


def test_who_listens_on_a_port_is_not_who_connected_from_it(source: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert sockets.find(address, ("127.0.0.1", 1)) is None
        assert peer.pid_of(("127.0.0.1", 1), address) == 0


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        (("192.0.2.1", 4318), ("192.0.2.7", 40000)),
        (("127.0.0.1", 4318), ("192.0.2.7", 40000)),
        (("::1", 4318), ("2001:db8::1", 40000)),
        (("", 4318), ("", 40000)),
        (("127.0.0.1", 4318), ("localhost", 40000)),
        (("127.0.0.1", 4318), ("::1", 40000)),
        (("", 0), ("127.0.0.1", 40000)),
    ],
)
def test_of_other_machines_and_no_addresses_nothing_is_known(local: Address, remote: Address) -> None:
    assert peer.pid_of(local, remote, nobody()) == 0


@pytest.mark.parametrize(
    ("local", "remote", "is_here"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.3.2.1", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::1", "::2", False),
    ],
)
def test_both_ends_are_here(local: str, remote: str, is_here: bool) -> None:
    assert sockets.is_local((local, 1), (remote, 2)) == is_here


def test_a_process_may_be_gone_while_it_is_looked_at() -> None:
    with connection("127.0.0.1") as (process, ours):
        found = sockets.find(*reversed(names(ours)))
        assert found

        def dying() -> Iterator[int]:
            process.kill()
            process.wait()
            yield process.pid

        assert peer.holder(found.inode, dying()) == 0


def test_the_likely_way_is_a_small_part_of_the_long_way(capsys: pytest.CaptureFixture[str]) -> None:
    files = "files = [open('/dev/null') for _ in range(50)]"
    with crowd(500), connection("127.0.0.1", code=files) as (process, ours):
        known = [os.getpid(), process.pid]
        fitting = frozenset({program.programs(process.pid)[0].rpartition("/")[2]})
        assert peer.pid_of(*names(ours), known) == peer.pid_of(*names(ours)) == process.pid
        quick = quickest(20, lambda: peer.pid_of(*names(ours), known))
        newest = quickest(10, lambda: peer.pid_of(*names(ours), program.running(fitting)))
        slow = quickest(5, lambda: peer.pid_of(*names(ours)))
        with capsys.disabled():
            print(f"\n{len(proc.pids())} processes: known {quick * 1e6:.0f} µs,", end=" ")
            print(f"newest that fits {newest * 1e6:.0f} µs, all {slow * 1e6:.0f} µs", end=" ")
        assert quick * 4 < slow
        assert newest * 2 < slow
