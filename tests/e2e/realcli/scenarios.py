"""The scenarios. Every one works with every CLI."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.e2e.realcli.interface import Interactive
from tests.e2e.realcli.run import Run


async def text(run: Run) -> None:
    code = await run.ask("Say hi [[text:Hello there]]")
    run.check(code == 0, f"exit code {code}")
    run.check(len(run.rows(kind="main", outcome="completed")) == 1, "expected one main request")


async def tool(run: Run) -> None:
    code = await run.ask("Run a command [[bash:touch made-by-tool && sleep 1;text:All done]]", tools=True)
    run.check(code == 0, f"exit code {code}")
    run.check((run.projects["main"] / "made-by-tool").exists(), "the command did not run")
    run.check(len(run.rows(kind="main", outcome="completed")) == 2, "expected two main requests")


async def multi(run: Run) -> None:
    for number in (1, 2):
        code = await run.ask(f"Turn {number} [[text:Answer {number}]]", resume=number == 2)
        run.check(code == 0, f"exit code {code} in turn {number}")
    run.check(len(run.rows(kind="main", outcome="completed")) == 2, "expected two main requests")


def gives_up(status: int) -> Callable[[Run], Awaitable[None]]:
    async def play(run: Run) -> None:
        code = await run.ask(f"Fail [[err:{status}]]")
        run.check(code != 0, "exit code 0")
        run.check(bool(run.rows(kind="main", status=status)), f"no request was answered with {status}")
        run.check(not run.rows(kind="main", outcome="completed"), "a main request was completed")

    return play


async def error_then_ok(run: Run) -> None:
    code = await run.ask("Fail once [[err:500x1;text:unused]]")
    run.check(code == 0, f"exit code {code}")
    outcomes = [row["outcome"] for row in run.rows(kind="main")]
    run.check(outcomes == ["error", "completed"], f"main requests: {outcomes}")


async def interrupt(run: Run) -> None:
    await run.signal_while_streaming(signal.SIGINT)


async def killed(run: Run) -> None:
    await run.signal_while_streaming(signal.SIGKILL)


def permission(what: str) -> Callable[[Run], Awaitable[None]]:
    approve = what == "approved"

    async def play(run: Run) -> None:
        ui = Interactive(run)
        await ui.start()
        await ui.prompt("Make a file [[outside:touch made-by-tool && sleep 2;text:File is there]]")
        await ui.approval()
        made = run.projects["main"] / "made-by-tool"
        run.check(not made.exists(), "the command ran without approval")
        ui.press(what, run.cli.answers[what])
        if approve:
            await ui.answered()
        else:
            await asyncio.sleep(3)
            ui.shot(what)
        run.check(made.exists() == approve, f"file made: {made.exists()}")
        await ui.quit()

    return play


async def tui_idle_exit(run: Run) -> None:
    ui = Interactive(run)
    await ui.start()
    for number in (1, 2):
        await ui.prompt(f"Turn {number} [[text:Answer {number}]]")
        await ui.answered()
    run.mark("idle", label="main")
    await asyncio.sleep(run.wait_s(8))
    await ui.quit()


async def tui_esc(run: Run) -> None:
    ui = Interactive(run)
    await ui.start()
    await ui.prompt("Tell me a long story [[slow:60]]")
    await run.until(lambda: any(row["first_chunk_ns"] for row in run.rows(kind="main", step="slow")), 30)
    await asyncio.sleep(run.wait_s(2))
    ui.press("escape", b"\x1b")
    aborted = await run.until(lambda: run.rows(kind="main", step="slow", outcome="aborted"), 10)
    run.check(aborted, "the request was not aborted")
    await asyncio.sleep(2)
    ui.shot("interrupted")
    await ui.quit()


async def tui_closed(run: Run) -> None:
    ui = Interactive(run)
    await ui.start()
    await ui.prompt("Tell me a long story [[slow:60]]")
    await run.until(lambda: any(row["first_chunk_ns"] for row in run.rows(kind="main", step="slow")), 30)
    await asyncio.sleep(run.wait_s(2))
    ui.shot("streaming")
    run.mark("window_closed", label="main")
    ui.terminal.close()
    assert ui.terminal.process is not None
    await run.finish(ui.terminal.process)
    run.lingers = run.cli.flush_s


async def subagent(run: Run) -> None:
    code = await run.ask("Delegate it [[agent;text:Parent done]]", tools=True, agents=True)
    run.check(code == 0, f"exit code {code}")
    run.check(len(run.rows(kind="subagent", outcome="completed")) >= 2, "expected two requests of the sub-agent")


async def two(run: Run) -> None:
    codes = await asyncio.gather(
        run.ask("Session A [[label:A;slow:4]]", "A", tools=True),
        run.ask("Session B [[label:B;bash:sleep 1;text:B done]]", "B", tools=True),
    )
    run.check(not any(codes), f"exit codes {codes}")
    for label, count in (("A", 1), ("B", 2)):
        run.check(len(run.rows(kind="main", label=label, outcome="completed")) == count, f"requests of {label}")


@dataclass(frozen=True)
class Scenario:
    """A scenario: what it does and the sessions it has (one project directory each)."""

    play: Callable[[Run], Awaitable[None]]
    summary: str
    labels: tuple[str, ...] = ("main",)


SCENARIOS: dict[str, Scenario] = {
    "text": Scenario(text, "one prompt, one answer"),
    "tool": Scenario(tool, "one prompt, one shell command (allowed beforehand), one answer"),
    "multi": Scenario(multi, "two prompts of one session in two processes, the second resumes"),
    "error429": Scenario(gives_up(429), "HTTP 429 to every try, until the CLI gives up"),
    "error401": Scenario(gives_up(401), "HTTP 401 to every try, until the CLI gives up"),
    "error500-then-ok": Scenario(error_then_ok, "HTTP 500 once, the retry succeeds"),
    "interrupt": Scenario(interrupt, "SIGINT --wait seconds (2) after the answer has begun"),
    "killed": Scenario(killed, "SIGKILL --wait seconds (2) after the answer has begun"),
    "tui-approve": Scenario(permission("approved"), "full screen: permission given after --wait seconds (3)"),
    "tui-deny": Scenario(permission("denied"), "full screen: permission denied (Esc) after --wait seconds (3)"),
    "tui-refuse": Scenario(permission("refused"), "full screen: permission refused (No) after --wait seconds (3)"),
    "tui-esc": Scenario(tui_esc, "full screen: Esc --wait seconds (2) after the answer has begun"),
    "tui-idle-exit": Scenario(tui_idle_exit, "full screen: two turns, idle for --wait seconds (8), quit"),
    "tui-closed": Scenario(tui_closed, "full screen: window closed (SIGHUP) in the middle of an answer"),
    "subagent": Scenario(subagent, "a sub-agent runs a shell command and answers"),
    "two": Scenario(two, "two sessions at once, each in a directory of its own", ("A", "B")),
}
