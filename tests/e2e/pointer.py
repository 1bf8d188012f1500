"""A mouse for a compositor without one: zwlr_virtual_pointer_v1, spoken over its socket (wlr-protocols 1)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

MANAGER = "zwlr_virtual_pointer_manager_v1"
BUTTONS = {"left": 0x110, "right": 0x111, "middle": 0x112}  # linux/input-event-codes.h

# Objects that we number ourselves: of the display, of the registry, of the first answer, …
DISPLAY, REGISTRY, LISTED, POINTERS, POINTER, MADE, DONE = range(1, 8)


class _Wire:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._unread = b""
        self.names: dict[str, int] = {}

    def send(self, target: int, opcode: int, body: bytes = b"") -> None:
        self._socket.sendall(struct.pack("<IHH", target, opcode, 8 + len(body)) + body)

    def sync(self, callback: int) -> None:
        """Wait until everything so far is done; note the names of what there is."""
        self.send(DISPLAY, 0, struct.pack("<I", callback))
        while True:
            for sender, opcode, body in self._events():
                assert (sender, opcode) != (DISPLAY, 0), f"refused: {body!r}"
                if sender == callback:
                    return
                if (sender, opcode) == (REGISTRY, 0):
                    name, size = struct.unpack_from("<II", body)
                    self.names[body[8 : 8 + size - 1].decode()] = name
            self._unread += self._socket.recv(65536)

    def _events(self) -> Iterator[tuple[int, int, bytes]]:
        while len(self._unread) >= 8:
            sender, opcode, size = struct.unpack_from("<IHH", self._unread)
            if len(self._unread) < size:
                return
            body, self._unread = self._unread[8:size], self._unread[size:]
            yield sender, opcode, body

    def close(self) -> None:
        self._socket.close()


def _text(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return struct.pack("<I", len(raw)) + raw + b"\0" * (-len(raw) % 4)


def _now() -> int:
    return int(time.monotonic() * 1000) & 0xFFFFFFFF


class Pointer:
    """A mouse, on a screen of that size, for as long as it is not closed."""

    def __init__(self, environment: dict[str, str], size: tuple[int, int]) -> None:
        self._size = size
        self._wire = wire = _Wire(Path(environment["XDG_RUNTIME_DIR"]) / environment["WAYLAND_DISPLAY"])
        wire.send(DISPLAY, 1, struct.pack("<I", REGISTRY))
        wire.sync(LISTED)
        bind = struct.pack("<I", wire.names[MANAGER]) + _text(MANAGER) + struct.pack("<II", 1, POINTERS)
        wire.send(REGISTRY, 0, bind)
        wire.send(POINTERS, 0, struct.pack("<II", 0, POINTER))
        wire.sync(MADE)
        time.sleep(0.1)  # until the compositor has told its clients of the new pointer

    def move(self, x: int, y: int) -> None:
        """Come from the left and stop there."""
        for step in (x - 3, x):
            self._wire.send(POINTER, 1, struct.pack("<IIIII", _now(), step, y, *self._size))
            self._wire.send(POINTER, 4)
            time.sleep(0.15)

    def press(self, button: str) -> None:
        """Press a button and release it."""
        for pressed in (1, 0):
            self._wire.send(POINTER, 2, struct.pack("<III", _now(), BUTTONS[button], pressed))
            self._wire.send(POINTER, 4)
            time.sleep(0.05)
        self._wire.sync(DONE)
        time.sleep(0.2)

    def close(self) -> None:
        """Unplug it."""
        self._wire.close()
