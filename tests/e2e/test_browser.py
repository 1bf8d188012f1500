"""A real browser, whose page tries all ways that a page has to reach the receivers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aimond.otlp import grpc, http, ports
from aimond.otlp.record import Batch

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BODY = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1"}]}]}]})

# Each way says its name in the query, which the receivers ignore. A page has no other way to POST.
PAGE = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const body = %(body)s;
const hosts = {loop: "http://127.0.0.1:%(port)d", bound: "http://evil.test:%(port)d"};
const forms = (where, name) => {
  const frame = document.createElement("iframe"); frame.name = name; document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: `${where}/v1/logs?via=${name}`, enctype: "text/plain", target: name});
  const input = document.createElement("input");
  input.name = body.slice(0, -1) + ',"x":"'; input.value = '"}';
  form.append(input); document.body.append(form); form.submit();
};
const attempt = async () => {
  for (const [from, where] of Object.entries(hosts)) {
    const to = name => `${where}/v1/logs?via=${name}-${from}`;
    const tries = [
      fetch(to("nocors"), {method: "POST", mode: "no-cors", body, headers: {"Content-Type": "text/plain"}}),
      fetch(to("untyped"), {method: "POST", mode: "no-cors", body: new Blob([body])}),
      fetch(to("cors"), {method: "POST", body, headers: {"Content-Type": "application/json"}}),
      fetch(`${where}/metrics?via=metrics-${from}`, {mode: "no-cors"}),
      fetch(to("keepalive"), {method: "POST", mode: "no-cors", body, keepalive: true, referrerPolicy: "no-referrer"}),
    ];
    navigator.sendBeacon(to("beacon"), new Blob([body], {type: "text/plain"}));
    new Image().src = to("image");
    forms(where, `form-${from}`);
    tries.push(new Promise(done => {
      const socket = new WebSocket(to("socket").replace("http", "ws"));
      socket.onopen = () => socket.send(body); socket.onclose = done;
    }));
    await Promise.race([Promise.allSettled(tries), new Promise(done => setTimeout(done, 3000))]);
  }
  await new Promise(done => setTimeout(done, 500));
  await fetch("/done");
};
attempt();
</script>"""
WAYS = ("nocors", "untyped", "cors", "metrics", "keepalive", "beacon", "image", "form", "socket")


@dataclass
class Tap:
    """Goes between the browser and the receiver, and writes down what was asked and how it was answered."""

    behind: int
    answers: dict[str, list[str]] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, on a connection of its own."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            sent = await reader.readexactly(int(length[1])) if length else b""
            inside, outside = await asyncio.open_connection("127.0.0.1", self.behind)
            outside.write(head + sent)
            answer = await inside.readuntil(b"\r\n\r\n")
            via = re.search(rb"via=([\w-]+)", head)
            self.heads.append(head.decode("latin-1"))
            self.answers.setdefault(via[1].decode() if via else "?", []).append(answer.split()[1].decode())
            outside.close()
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def site(port: int) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Serves the page; gives where, and what is set when it has tried everything."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /done" in head:
            done.set()
        content = (PAGE % {"body": json.dumps(BODY), "port": port}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(content)
        )
        writer.write(content)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], done


async def browse(url: str, done: asyncio.Event) -> None:
    """Open the page, until it has tried everything."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium: tools/setup.sh e2e installs it"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            program,
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--headless", f"--user-data-dir={profile}"),
            *("--host-resolver-rules=MAP evil.test 127.0.0.1", "--remote-debugging-port=0", url),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(30):
                await done.wait()
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            await browser.wait()


async def test_no_web_page_reaches_the_receiver_however_it_tries() -> None:
    """From a page of this machine, and from one whose name was made to point here (DNS rebinding)."""
    taken: list[Batch] = []

    def consume(batch: Batch) -> bool:
        taken.append(batch)
        return True

    listeners = ports.listen(["127.0.0.1"], 0)
    async with http.receiving(consume, listeners, metrics=lambda: (b"aimond_up 1\n", "text/plain")):
        tap = Tap(listeners[0].getsockname()[1])
        async with await asyncio.start_server(tap.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with site(port) as (page, done):
                await browse(f"http://evil.test:{page}/", done)
    wanted = {f"{way}-{where}" for way in WAYS for where in ("loop", "bound")}
    assert wanted <= set(tap.answers), f"not tried: {wanted - set(tap.answers)}"
    assert {answer for answers in tap.answers.values() for answer in answers} == {"403"}, tap.answers
    assert any("host: evil.test" in head.lower() for head in tap.heads)
    assert taken == []


async def test_no_web_page_speaks_to_the_grpc_port() -> None:
    """A browser speaks HTTP/2 only over TLS: what it sends in clear is no HTTP/2."""
    taken: list[Batch] = []
    listeners = ports.listen(["127.0.0.1"], 0)
    async with grpc.receiving(lambda batch: not taken.append(batch), listeners):  # noqa: SIM117
        async with site(listeners[0].getsockname()[1]) as (page, done):
            await browse(f"http://evil.test:{page}/", done)
    assert taken == []
