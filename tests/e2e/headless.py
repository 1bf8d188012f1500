"""A real Sway without a screen, terminals in it, and programs in those that pass for Claude Code."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aimond.commands import hook
from tests.daemon.test_command_line import Desktop

T = TypeVar("T")

CONFIG = """output HEADLESS-1 resolution 1280x720
output HEADLESS-2 resolution 1280x720
xwayland disable
seat seat0 fallback true
focus_on_window_activation none
"""
FAKE = Path(__file__).parents[1] / "daemon" / "fake_cli.py"
CLAUDE = "@anthropic-ai/claude-code/cli.js"
GENEROUS = 30.0  # seconds


def until(asked: Callable[[], T], what: str = "", within: float = GENEROUS) -> T:
    """Ask again and again until the answer is yes."""
    end = time.monotonic() + within
    while not (answer := asked()):
        assert time.monotonic() < end, what or f"it never came: {answer!r}"
        time.sleep(0.03)
    return answer


class Screen:
    """Sway, and what runs in it; ``stop`` is its sudden death. Its sockets are where ``environment`` says."""

    def __init__(self, environment: dict[str, str], outputs: int = 1) -> None:
        self.runtime = Path(environment["XDG_RUNTIME_DIR"])
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "TMUX", "TMUX_PANE")
        self._environment = {name: text for name, text in environment.items() if name not in hidden}
        self._outputs = outputs
        self._programs: list[subprocess.Popen[bytes]] = []
        self.socket = self.display = ""

    def start(self) -> None:
        config = self.runtime / "sway.conf"
        config.write_text(CONFIG)
        before = set(self.runtime.glob("sway-ipc.*.sock"))
        backend = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}
        backend["WLR_HEADLESS_OUTPUTS"] = str(self._outputs)
        # Sway 1.7 refuses to be root; what it starts, and what we start in it, need not.
        other = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] if os.geteuid() == 0 else []
        self._start([*other, "sway", "-c", str(config)], **backend)
        (socket,) = until(lambda: set(self.runtime.glob("sway-ipc.*.sock")) - before, "sway has not started")
        self.socket = str(socket)
        until(lambda: self.sway("-t", "get_version"), "sway does not answer")
        displays = [path for path in self.runtime.glob("wayland-*") if path.is_socket()]
        self.display = max(displays, key=lambda path: path.stat().st_mtime).name

    def stop(self) -> None:
        """Everything in it ends with it, but for what is in tmux."""
        for program in reversed(self._programs):
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        self._programs.clear()

    def run(self, *command: str) -> int:
        """Start a program in it."""
        return self._start(list(command), WAYLAND_DISPLAY=self.display, SWAYSOCK=self.socket)

    def _start(self, command: list[str], **more: str) -> int:
        environment = {**self._environment, **more}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        program = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)
        self._programs.append(program)
        return program.pid

    def sway(self, *words: str) -> Any:
        """What swaymsg says, None if it cannot."""
        command = ["timeout", "10", "swaymsg", "-r", "-s", self.socket, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def windows(self) -> dict[int, dict[str, Any]]:
        """All windows by con id, each with its ``workspace``."""
        found = {}
        ahead = [(self.sway("-t", "get_tree") or {}, "")]
        while ahead:
            node, workspace = ahead.pop()
            workspace = node.get("name", "") if node.get("type") == "workspace" else workspace
            if self.is_window(node):
                found[node["id"]] = {**node, "workspace": workspace}
            ahead += [(child, workspace) for key in ("nodes", "floating_nodes") for child in node.get(key, [])]
        return dict(sorted(found.items()))

    def is_window(self, node: dict[str, Any]) -> bool:
        """Whether a node of the tree is a window."""
        return bool(node.get("pid"))

    @property
    def focused(self) -> int:
        """The con id of the window that has the focus, 0 for none."""
        return next((number for number, node in self.windows().items() if node["focused"]), 0)

    def opened(self, *command: str) -> int:
        """Start a program and wait for its window: the con id."""
        before = set(self.windows())
        self.run(*command)
        return until(lambda: set(self.windows()) - before, f"no window of {command}").pop()


class Cli:
    """A program that passes for Claude Code and does as it is told; ``command`` starts it in some terminal."""

    def __init__(self, desktop: Desktop, home: Path, session: str) -> None:
        self.session, self.directory = session, home / session
        self.directory.mkdir(parents=True)
        script = self.directory / CLAUDE
        script.parent.mkdir(parents=True)
        shutil.copy(FAKE, script)
        self._in, self._out = self.directory / "in", self.directory / "out"
        os.mkfifo(self._in)
        os.mkfifo(self._out)
        program = [sys.executable, str(script), f"http://127.0.0.1:{desktop.http}/v1/logs", str(Path(hook.__file__))]
        fifos = f"<{shlex.quote(str(self._in))} >{shlex.quote(str(self._out))}"
        # A shell stays in between, as it does for people.
        self.command = f"cd {shlex.quote(str(self.directory))}; {shlex.join(program)} {fifos}; true"
        self.pid = 0

    def meet(self) -> None:
        """Wait until it runs."""
        self._say = self._in.open("w")
        self._hear = self._out.open()
        self.pid = int(self._hear.readline())

    def hooks(self, event: str, **fields: Any) -> None:
        print(json.dumps({"hook_event_name": event, "session_id": self.session, **fields}), file=self._say, flush=True)
        assert self._hear.readline() == "done\n"

    def logs(self, event: str, **attributes: str) -> None:
        """Send a log record."""
        record = {"event.name": event, "session.id": self.session, **attributes}
        print(json.dumps(record), file=self._say, flush=True)
        assert self._hear.readline() == "done\n"

    def open(self) -> None:
        self.hooks("SessionStart", source="startup", cwd=str(self.directory))

    def prompted(self) -> None:
        self.hooks("UserPromptSubmit", prompt="go on", cwd=str(self.directory))

    def done(self) -> None:
        self.hooks("Stop", stop_hook_active=False, background_tasks=[])

    def asks(self) -> None:
        self.hooks("PermissionRequest", tool_name="Bash", tool_input={})

    def close(self) -> None:
        for file in (self._say, self._hear):
            with suppress(OSError):
                file.close()


class Desk:
    """A monitor, a screen and terminals: as a context manager, with all of it started."""

    def __init__(self, desktop: Desktop, home: Path, screen: Screen | None = None) -> None:
        self.desktop, self.home = desktop, home
        self.screen = screen or Screen(desktop.environment)
        self.clis: dict[str, Cli] = {}
        self._all = ExitStack()

    def __enter__(self) -> Self:
        self._all.callback(self.screen.stop)
        self._monitor = self._all.enter_context(ExitStack())
        self.restart()
        self.screen.start()
        return self

    def restart(self) -> None:
        """Start the monitor, anew."""
        self._monitor.close()
        self.monitor = self._monitor.enter_context(self.desktop.monitor()).pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for cli in self.clis.values():
            cli.close()
        self._all.close()

    def cli(self, session: str) -> Cli:
        """One that is to be started."""
        self.clis[session] = cli = Cli(self.desktop, self.home, session)
        return cli

    def greet(self) -> None:
        """Meet all that were not met yet; their sessions open."""
        for cli in self.clis.values():
            if not cli.pid:
                cli.meet()
                cli.open()

    def terminal(self, session: str, *terminal: str) -> int:
        """A session in a window of its own: the con id."""
        cli = self.cli(session)
        window = self.screen.opened(*(terminal or ("foot",)), "sh", "-c", cli.command)
        self.greet()
        return window

    def sessions(self) -> dict[str, dict[str, Any]]:
        """What the monitor says, by id."""
        told = json.loads(self.desktop.run("status", "--json").stdout)["sessions"]
        return {session["Id"]: session for session in told}

    def until(self, session: str, **values: Any) -> None:
        """Wait until the session has these properties."""

        def holds() -> bool:
            there = self.sessions().get(session, {})
            return all(there.get(name) == value for name, value in values.items())

        until(holds, f"{session} never was {values}")

    def focus(self, *words: str) -> int:
        """The exit status of ``aimond focus``."""
        return self.desktop.run("focus", *words).returncode

    def tmux(self, *words: str) -> str:
        """What the tmux server of this desk says."""
        environment = {**self.desktop.environment, "TMUX": "", "TERM": "xterm"}
        command = ["tmux", "-f", "/dev/null", "-S", str(self.screen.runtime / "tmux"), *words]
        return subprocess.check_output(command, env=environment, text=True, timeout=20).strip()

    def empty(self, number: int = 9) -> None:
        """Go where no window is."""
        self.screen.sway("workspace", str(number))
        until(lambda: self.screen.focused == 0)
