"""``aimond hook AGENT``: hand the monitor what a CLI gives its hooks. It never fails, and nobody waits for it.

The file also runs alone, without aimond's packages: ``python -I -S hook.py AGENT``. It imports what takes no time:
``json``, ``socket`` and ``typing`` would each cost as much as the interpreter's own start.
"""

import _socket
import os
import select
import sys
import time

# Its name on the bus, and what it reads from a hook that has no opinion. What Claude Code (2.1.330) and Codex (0.169.0)
# read from some events' hooks is told to the model, so nothing is printed; Gemini CLI (0.61.0) wants JSON.
AGENTS = {
    "claude": ("claude-code", b""),
    "claude-code": ("claude-code", b""),
    "codex": ("codex", b""),
    "gemini": ("gemini-cli", b"{}\n"),
    "gemini-cli": ("gemini-cli", b"{}\n"),
}
WAIT = 0.15  # seconds, for all there is to wait for
QUEUE = 0.05  # seconds of these, where too many hooks wait already: most likely, the monitor hangs
ROOM = 2**16  # bytes of a payload; more would wait in vain for a monitor that hangs, as a socket's buffer is small
READ = 2**24  # bytes; what is longer is read, or Codex would call the hook failed, but not kept
VALUES = 500_000  # of JSON; as many take up to 100 ms
TEXT, LIST, DEPTH = 4096, 32, 3  # what is left of payloads that have no room
ANCESTORS = 16


def main(arguments: list[str]) -> None:
    """Deliver, and exit with 0 whatever happens."""
    try:
        _deliver(arguments, time.time_ns() // 1000, time.monotonic() + WAIT)
    finally:
        os._exit(0)


def place() -> str:
    """Where the monitor listens."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime if runtime.startswith('/') else f'/run/user/{os.getuid()}'}/aimond/hook"


def _deliver(arguments: list[str], at: int, deadline: float) -> None:
    agent, answer = AGENTS.get(arguments[0], (arguments[0], b""))
    _print(answer)
    is_notify = len(arguments) > 1  # by Codex, with its JSON as the last argument, and with no stdin
    payload = os.fsencode(arguments[-1]) if is_notify else _read(deadline)
    if len(payload) > ROOM:
        payload = _shortened(payload, deadline)[:ROOM]  # JSON that is cut is none: the monitor will count it
    message = b'{"agent":%b,"via":"%b","context":%b,"payload":%b}' % (
        _quoted(agent),
        b"notify" if is_notify else b"hook",
        _context(at),
        payload.strip() or b"null",
    )
    _send(message, deadline)


def _print(answer: bytes) -> None:
    try:
        if answer and select.select([], [1], [], 0)[1]:
            os.write(1, answer)
    except OSError:  # closed, or nobody reads
        pass


def _read(deadline: float) -> bytes:
    """Stdin up to its end, or as much as came in time; nothing from a terminal, where a user may be typing."""
    if os.isatty(0):
        return b""
    chunks = []
    size = 0
    try:
        while select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(0, ROOM)
            size += len(chunk)
            if size <= READ:
                chunks.append(chunk)
            if not chunk or time.monotonic() > deadline:
                break
    except OSError:  # closed
        pass
    return b"".join(chunks)


def _shortened(payload: bytes, deadline: float) -> bytes:
    """The same JSON with its long texts and lists cut; unchanged if it is none, or would take too long to read."""
    if time.monotonic() > deadline or sum(map(payload.count, (b",", b"[", b"{"))) > VALUES:
        return payload
    import gc
    import json

    gc.disable()
    try:
        return json.dumps(_cut(json.loads(payload), DEPTH)).encode()
    except (ValueError, RecursionError):
        return payload


def _cut(value: object, depth: int) -> object:
    if isinstance(value, str):
        return value[:TEXT]
    if isinstance(value, list):
        return [_cut(each, depth - 1) for each in value[:LIST]] if depth else []
    if isinstance(value, dict):
        return {key[:TEXT]: _cut(value[key], depth - 1) for key in list(value)[:LIST]} if depth else {}
    return value


def _context(at: int) -> bytes:
    """Who and where we are, as JSON: the monitor gets to see us when we are gone."""
    line: list[list[int]] = []
    terminal = 0
    pid = os.getpid()
    while pid and len(line) <= ANCESTORS:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
                stat = file.read().rpartition(b")")[2].split()  # a comm may hold anything; columns: proc(5)
        except OSError:
            break
        line.append([pid, int(stat[19])])
        terminal = terminal or int(stat[4])
        pid = int(stat[1])
    return b'{"at":%d,"pid":%d,"ppid":%d,"ancestors":%b,"tty":%b,"TMUX":%b,"TMUX_PANE":%b}' % (
        at,
        os.getpid(),
        os.getppid(),
        str(line[1:]).encode(),
        _quoted(_terminal(terminal)),
        _quoted(os.environ.get("TMUX", "")[:TEXT]),
        _quoted(os.environ.get("TMUX_PANE", "")[:TEXT]),
    )


def _terminal(number: int) -> str:
    """The device of that number, as in linux/Documentation/admin-guide/devices.txt; "" if it is no terminal."""
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"/dev/pts/{(major - 136 << 8) + minor}"
    return f"/dev/tty{minor}" if major == 4 and 0 < minor < 64 else ""


def _quoted(text: str) -> bytes:
    """As JSON; control characters stay as they are, which the monitor allows."""
    return b'"%b"' % os.fsencode(text).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _send(message: bytes, deadline: float) -> None:
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    channel.setblocking(False)
    queue = min(deadline, time.monotonic() + QUEUE)
    while True:
        try:
            channel.connect(place())
            break
        except BlockingIOError:  # the backlog is full, and the kernel does not tell when there is room
            if time.monotonic() > queue:
                return
            time.sleep(0.005)
    # What a user types is for a monitor of the same user.
    owner = channel.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)[4:8]
    if int.from_bytes(owner, sys.byteorder) in (0, os.getuid()):
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        channel.sendall(message)


if __name__ == "__main__":
    main(sys.argv[1:])
