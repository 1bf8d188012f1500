"""Who has the place where hook programs look, and who may use it."""

from __future__ import annotations

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from aimond.hooks.listen import AlreadyListening, listening
from tests.hooks.desk import Desk, descriptors

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


def mode(path: Path) -> str:
    return stat.filemode(path.lstat().st_mode)


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def leave_a_socket(path: Path) -> None:
    """As a monitor does that is killed."""
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_only_its_user_gets_in(desk: Desk, open_umask: None) -> None:
    with listening(desk.socket) as listener:
        assert (mode(desk.socket.parent), mode(desk.socket)) == ("drwx------", "srw-------")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(desk.socket))
            client.sendall(b"x")
            assert listener.accept()[0].recv(1) == b"x"
    assert not desk.socket.exists()


def test_a_directory_that_others_may_enter_is_closed(desk: Desk) -> None:
    desk.socket.parent.mkdir(mode=0o755)
    with listening(desk.socket):
        assert mode(desk.socket.parent) == "drwx------"


def test_directories_on_the_way_are_made(desk: Desk) -> None:
    with listening(desk.runtime / "user" / "0" / "aimond" / "hook") as listener:
        assert listener.getsockname().endswith("/user/0/aimond/hook")


def test_a_dead_monitors_socket_is_replaced(desk: Desk) -> None:
    leave_a_socket(desk.socket)
    with listening(desk.socket), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(desk.socket))


@pytest.mark.parametrize("waiting", [0, 300])
def test_a_second_monitor_is_told_of_the_first(desk: Desk, waiting: int) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening(desk.socket))
        for _ in range(waiting):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect_ex(str(desk.socket))
        with pytest.raises(AlreadyListening, match=f"another monitor listens for hooks at {desk.socket}") as raised:
            stack.enter_context(listening(desk.socket))
        assert raised.value.path == desk.socket
        assert listener.getsockname() == str(desk.socket)
        assert desk.socket.is_socket()


def test_of_monitors_that_start_at_once_one_listens(desk: Desk) -> None:
    leave_a_socket(desk.socket)
    start, end = Barrier(8), Barrier(8)

    def monitor(_: int) -> bool:
        start.wait(10)
        try:
            with listening(desk.socket):
                end.wait(10)
                return True
        except AlreadyListening:
            end.wait(10)
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(monitor, range(8))) == 1
    assert not desk.socket.exists()


def test_another_monitors_socket_is_not_removed(desk: Desk) -> None:
    with listening(desk.socket):
        desk.socket.unlink()
        leave_a_socket(desk.socket)
    assert desk.socket.is_socket()


def test_a_place_that_is_gone_at_the_end_is_no_error(desk: Desk) -> None:
    with listening(desk.socket):
        desk.socket.unlink()
        desk.socket.parent.rmdir()


def test_what_is_no_socket_stays(desk: Desk) -> None:
    desk.socket.parent.mkdir()
    desk.socket.write_text("precious")
    with pytest.raises(FileExistsError, match="is no socket"), listening(desk.socket):
        pass
    assert desk.socket.read_text() == "precious"


def test_a_link_instead_of_the_socket_is_not_followed(desk: Desk) -> None:
    leave_a_socket(desk.runtime / "elsewhere" / "hook")
    desk.socket.parent.mkdir()
    desk.socket.symlink_to(desk.runtime / "elsewhere" / "hook")
    with pytest.raises(FileExistsError), listening(desk.socket):
        pass
    assert (desk.runtime / "elsewhere" / "hook").is_socket()


def test_a_link_instead_of_the_directory_is_refused(desk: Desk) -> None:
    (desk.runtime / "elsewhere").mkdir(mode=0o755)
    desk.socket.parent.symlink_to(desk.runtime / "elsewhere")
    with pytest.raises(OSError, match="aimond"), listening(desk.socket):
        pass
    assert mode(desk.runtime / "elsewhere") == "drwxr-xr-x"
    assert list((desk.runtime / "elsewhere").iterdir()) == []


@as_root
def test_another_users_directory_is_refused(desk: Desk) -> None:
    desk.socket.parent.mkdir()
    os.chown(desk.socket.parent, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to another user"), listening(desk.socket):
        pass
    assert list(desk.socket.parent.iterdir()) == []


def test_a_path_that_is_too_long_is_told(desk: Desk) -> None:
    with pytest.raises(OSError, match="too long"), listening(desk.runtime / ("x" * 100) / "hook"):
        pass


def test_nothing_stays_open(desk: Desk) -> None:
    before = descriptors()
    with listening(desk.socket), pytest.raises(AlreadyListening), listening(desk.socket):
        pass
    assert descriptors() == before
