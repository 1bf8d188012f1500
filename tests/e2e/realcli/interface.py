"""A CLI's full-screen interface, as a user has it."""

from __future__ import annotations

import asyncio
import time

from tests.e2e.realcli.mock_api import FINAL_STEPS
from tests.e2e.realcli.run import Run
from tests.e2e.realcli.terminal import Terminal


class Interactive:
    """The CLI's full-screen interface in a terminal."""

    def __init__(self, run: Run, label: str = "main") -> None:
        self.run, self.label = run, label
        self.terminal = Terminal(run.options.out / f"{label}.tty")
        run.at_end.append(lambda: self.shot("end"))

    async def start(self) -> None:
        run = self.run
        process = await self.terminal.start(run.argv(run.cli.interactive()), run.env, run.projects[self.label])
        run.mark("spawn", label=self.label, pid=process.pid)
        end = time.monotonic() + 60
        while not self.terminal.shows(run.cli.ready) and process.returncode is None and time.monotonic() < end:
            for pattern, keys in run.cli.dialogs:
                if self.terminal.shows(pattern):
                    self.shot("dialog")
                    for key in keys:
                        self.terminal.send(key)
                        await asyncio.sleep(0.7)
            await asyncio.sleep(0.2)
        run.require(self.terminal.shows(run.cli.ready), "the interface did not get ready")
        await asyncio.sleep(2)
        run.mark("ready", label=self.label)
        self.shot("ready")

    def shot(self, name: str) -> None:
        """Append the screen's text to OUT/LABEL.screens.txt."""
        with (self.run.options.out / f"{self.label}.screens.txt").open("a") as file:
            file.write(f"=== {time.time_ns()} {name}\n{self.terminal.screen.text()}\n")

    async def type(self, text: str) -> None:
        """Type a line. Enter comes later, or else it would look like a part of pasted text."""
        self.terminal.send(text.encode())
        await asyncio.sleep(0.8)
        self.terminal.send(b"\r")

    async def prompt(self, text: str) -> None:
        """Send a prompt; returns when the model API has got it."""
        before = len(self.run.mock.rows)
        await self.type(text)
        self.run.mark("prompt", label=self.label, text=text)
        if not await self.run.until(lambda: len(self.run.mock.rows) > before, 10):
            self.terminal.send(b"\r")
            self.run.mark("enter_again", label=self.label)
            self.run.require(await self.run.until(lambda: len(self.run.mock.rows) > before, 15), "prompt not sent")

    async def answered(self, within: float = 60) -> None:
        """Wait for the final answer to the newest prompt."""
        first = next(i for i, mark in reversed(list(enumerate(self.run.marks))) if mark["mark"] == "prompt")
        since = self.run.marks[first]["time_ns"] - 10**9
        done = await self.run.until(
            lambda: any(
                row["kind"] == "main"
                and row["outcome"] == "completed"
                and row["time_ns"] > since
                and row["step"].split(":")[0] in FINAL_STEPS
                for row in self.run.mock.rows
            ),
            within,
        )
        self.run.require(done, "no final answer")
        self.run.mark("answered", label=self.label)
        await asyncio.sleep(1)
        self.shot("answered")

    async def approval(self) -> None:
        """Wait for the permission question, then for --wait seconds."""
        asked = await self.terminal.wait_for(self.run.cli.approval, 40)
        self.run.require(asked, "no permission question")
        self.run.mark("approval_asked", label=self.label)
        self.shot("approval")
        await asyncio.sleep(self.run.wait_s(3))

    def press(self, what: str, key: bytes) -> None:
        self.run.mark(what, label=self.label)
        self.terminal.send(key)

    async def quit(self) -> None:
        """Leave by the CLI's own command, or else by Ctrl-C twice, or else by closing the window."""
        process = self.terminal.process
        assert process is not None
        await self.type(self.run.cli.quit_command)
        self.run.mark("quit_command", label=self.label)
        if not await self.run.until(lambda: process.returncode is not None, 12):
            self.shot("still there")
            for _ in range(2):
                self.press("ctrl_c", b"\x03")
                await asyncio.sleep(0.5)
            if not await self.run.until(lambda: process.returncode is not None, 5):
                self.run.check(False, "did not quit")
                self.run.mark("window_closed", label=self.label)
                self.terminal.close()
        await self.run.finish(process, self.label)
        self.terminal.close()
        self.run.lingers = self.run.cli.flush_s
