"""What is on its way to the bus: sent in one go, and kept while the bus takes nothing."""

from __future__ import annotations

import asyncio
import socket


class Outbox:
    """Stands where dbus-fast's writer has its socket.

    dbus-fast 5.2 makes a system call of each message, and takes a full socket for the end of the connection. This takes
    everything, hands over what one turn of the loop has said at once, and waits until there is room. Of a dead
    connection the reader hears, so that nothing unsent has to complain."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._sock, self._loop = sock, loop
        self._bytes = bytearray()
        self._due = self._waiting = False

    @property
    def unsent(self) -> int:
        """How many bytes the bus has not taken yet."""
        return len(self._bytes)

    def send(self, data: memoryview | bytearray) -> int:
        """Take a message, as a socket would."""
        self._bytes += data
        if not self._due:
            self._due = True
            self._loop.call_soon(self.flush)
        return len(data)

    def flush(self) -> None:
        """Hand over what there is."""
        self._due = False
        if not self._bytes:
            return
        try:
            del self._bytes[: self._sock.send(self._bytes)]
        except BlockingIOError:
            pass
        except OSError:
            self._bytes.clear()
        self._wait(bool(self._bytes))

    def _wait(self, wanted: bool) -> None:
        if wanted != self._waiting and self._sock.fileno() >= 0:
            self._waiting = wanted
            if wanted:
                self._loop.add_writer(self._sock, self.flush)
            else:
                self._loop.remove_writer(self._sock)
