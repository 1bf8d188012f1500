"""Sends tapes to a running receiver, at their own pace or faster, as they were or as if they happened now."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from google.protobuf.message import Message

from aimond.otlp import protobuf
from aimond.tape import Line, Tape, unpacked

TIMES: Final = ("time_unix_nano", "observed_time_unix_nano", "start_time_unix_nano", "end_time_unix_nano")
JSON_TIMES: Final = ("timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano", "endTimeUnixNano")
PATIENCE: Final = 30.0  # seconds
_CONNECTIONS: Final = {"http": HTTPConnection, "https": HTTPSConnection}


async def send(tape: Tape, url: str, speed: float = 1.0, *, begin: int | None = None, token: str = "") -> int:
    """Post every request of the tape to the OTLP/HTTP receiver at ``url``; 0 when all were taken, 1 when not.

    ``begin``: when the recording is to have begun, µs since the epoch; None leaves the times as they were.
    ``token``: the one that the receiver asks for.
    """
    loop = asyncio.get_running_loop()
    start, refused = loop.time(), 0
    try:
        with closing(_Receiver(url)) as receiver:
            for line in tape.lines:
                if line.kind != "otlp":
                    continue
                await asyncio.sleep(max(0.0, start + line.t / speed - loop.time()))
                body, headers = _request(line, begin - tape.epoch if begin else 0)
                headers |= {"x-aimond-token": token} if token else {}
                status = await asyncio.to_thread(receiver.post, f"/v1/{line.fields.get('signal')}", body, headers)
                refused += status >= 300
    except (HTTPException, OSError, ValueError) as error:
        print(f"aimond: {url}: {error}; is the monitor running?", file=sys.stderr)
        return 1
    if refused:
        print(f"aimond: {refused} requests were refused", file=sys.stderr)
    return int(refused > 0)


class _Receiver:
    """One connection, as a CLI keeps one. Raises ValueError for what is no URL of a receiver."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _CONNECTIONS or not parts.hostname:
            raise ValueError("not a URL such as http://127.0.0.1:4318")
        self._path = parts.path.rstrip("/")
        self._connection = _CONNECTIONS[parts.scheme](parts.hostname, parts.port, timeout=PATIENCE)
        self.close = self._connection.close

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer. Raises HTTPException or OSError when there is none."""
        is_used = self._connection.sock is not None
        try:
            return self._post(path, body, headers)
        except ConnectionError:  # as http.client's own RemoteDisconnected is one
            if not is_used:
                raise
        self._connection.close()  # the receiver had, between two requests
        return self._post(path, body, headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        self._connection.request("POST", self._path + path, body, headers)
        with self._connection.getresponse() as answer:
            answer.read()
            status: int = answer.status
            return status


def _request(line: Line, shift: int) -> tuple[bytes, dict[str, str]]:
    content_type = str(line.fields.get("content_type") or "application/x-protobuf")
    is_json = "json" in content_type
    content_type = "application/json" if is_json else "application/x-protobuf"
    if not shift:
        compressed = line.fields.get("content_encoding") == "gzip"
        encoding = {"Content-Encoding": "gzip"} if compressed else {}
        return line.body, {"Content-Type": content_type, **encoding}
    body = unpacked(line)
    if is_json:
        return json.dumps(_shift_json(json.loads(body), shift * 1000)).encode(), {"Content-Type": content_type}
    message = protobuf.whole(line.fields["signal"], body)
    shift_message(message, shift * 1000)
    return message.SerializeToString(), {"Content-Type": content_type}


def shift_message(message: Message, nanoseconds: int) -> None:
    """Let everything in the message have happened that much later."""
    for field, value in message.ListFields():
        if field.name in TIMES:
            setattr(message, field.name, value + nanoseconds)
        elif field.message_type and field.name != "attributes":
            for part in value if field.is_repeated else (value,):
                shift_message(part, nanoseconds)


def _shift_json(value: Any, nanoseconds: int) -> Any:
    if isinstance(value, list):
        return [_shift_json(part, nanoseconds) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _shifted(key, part, nanoseconds) for key, part in value.items()}


def _shifted(key: str, value: Any, nanoseconds: int) -> Any:
    if key in JSON_TIMES and str(value).isdigit() and int(value):
        return str(int(value) + nanoseconds)
    return value if key == "attributes" else _shift_json(value, nanoseconds)
