"""``aimond top`` in a terminal, and ``aimond status``, its one-shot."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from decimal import Decimal

from aimond.bus.service import Service
from aimond.commands.mirror import Mirror
from aimond.commands.top_rates import Rates
from aimond.commands.top_view import next_age, visible
from aimond.core.budget import Standing
from aimond.core.change import Reason
from aimond.core.snapshot import Basis, State
from tests.bus.standin import NOW, Standin
from tests.busdaemon import PrivateBus
from tests.commands.inhibitable import inhibitable
from tests.commands.terminal import HEIGHT, WIDTH, terminal
from tests.commands.test_look import session
from tests.daemon.test_command_line import AIMOND, switches

KEYS = "q quit"


def minutes_ago(minutes: float) -> int:
    return int((time.time() - 60 * minutes) * 1_000_000)


async def test_sessions_stand_in_their_order_and_change_as_they_do(
    bus: PrivateBus, service: Service, source: Standin
) -> None:
    service.publish(source.add("one", project="shop", state=State.WORKING, state_since=minutes_ago(125)))
    service.publish(source.add("two", "codex", project="parser", state=State.COMPLETED, state_since=minutes_ago(3.5)))
    async with terminal(bus, "top") as top:
        await top.shows("✓ completed  3m codex", "parser", "▶ working    2h claude-code", "shop", KEYS)
        await top.until(lambda: -1 < top.text.find("parser") < top.text.find("shop"))
        await top.shows("today 4.2k tokens $0.30", "1 completed, 1 working")
        now = minutes_ago(0)
        service.publish(source.state(State.WAITING, "one", reason="permission:Bash", state_since=now))
        await top.shows("◆ waiting   <1m", "permission")
        await top.until(lambda: -1 < top.text.find("shop") < top.text.find("parser"))
        service.publish(source.details("one", output_tokens=12_000, cost=Decimal("0.5"), cost_basis=Basis.REPORTED))
        await top.until(lambda: "12.0k  12.0k  $0.50" in top.text)
        assert max(map(len, top.lines)) <= WIDTH
        drawn = top.written.partition(b"\x1b[?1049h")[2]
        assert b"\x1b[2J" not in drawn[20:], "clearing the screen flickers"


async def test_budgets_are_told_in_figures_the_tightest_first(
    bus: PrivateBus, service: Service, source: Standin
) -> None:
    source.standing = [Standing(f"{number}", Decimal(number), Decimal(10), "USD") for number in range(5)]
    source.standing.append(Standing("tokens", Decimal(12_500), Decimal(10_000), "tokens"))
    service.publish(source.add(project="shop"))
    async with terminal(bus, "top") as top:
        await top.shows("budget tokens: 12.5k of 10.0k tokens, 125 %", "budget 4: $4.00 of $10.00, 40 %", KEYS)
        assert [line.split(":")[0] for line in top.lines[1:4]] == ["budget tokens", "budget 4", "budget 3"]
        assert "budget 2" not in top.text
        source.standing = source.standing[1:2]
        service.publish([])
        await top.shows("budget 1: $1.00 of $10.00, 10 %")
        assert "tokens:" not in top.text
    async with terminal(bus, "status") as status:
        await status.shows("budget 1: $1.00 of $10.00, 10 %")


async def test_keys_choose_a_session_and_act_on_it(bus: PrivateBus, service: Service, source: Standin) -> None:
    source.reasons = [Reason(NOW, "completed", "hook", "exact", "Stop")]
    for session_id in ("one", "two", "three"):
        service.publish(source.add(session_id, project=f"pr-{session_id}", state=State.COMPLETED))
    async with terminal(bus, "top") as top:
        await top.shows("pr-one", KEYS)
        order = [line.split()[3].removeprefix("pr-") for line in top.lines if "pr-" in line]
        chosen = 0
        for key, by in (("j", 1), ("\x1b[B", 1), ("j", 0), ("k", -1), ("\x1b[A", -1), ("\x1bOB", 1)):
            top.type(key)
            chosen += by
            await top.until(lambda: [f"pr-{order[chosen]}" in line for line in top.reversed()] == [True])  # noqa: B023
        top.type("e")
        await top.shows("TIME", "hook", "exact", "Stop", "e back")
        top.type("e")
        await top.shows("pr-one", KEYS)
        for number, key in enumerate(("f", "\r", "\n"), 1):
            top.type(key)
            await top.until(lambda: len(source.focused) == number)  # noqa: B023
        assert source.focused == [f"claude-code:{order[1]}"] * 3
        assert ("cannot be brought to the front" in top.text) == (order[1] != "one")
        top.type("a")
        await top.until(lambda: source.acknowledged)
        assert source.acknowledged == [("claude-code", order[1])]
        top.type("A")
        await top.until(lambda: len(source.acknowledged) == 4)
        top.type("q")
        assert await asyncio.wait_for(top.process.wait(), 10) == 0


async def test_the_monitor_goes_and_comes_back(bus: PrivateBus, source: Standin) -> None:
    async with terminal(bus, "top") as top:
        await top.shows("aimond is not running")
        top.type("f")
        service = Service(source, bus.address)
        await service.start()
        await top.shows("no sessions")
        service.publish(source.add(project="shop"))
        await top.shows("shop")
        await service.close()
        await top.shows("aimond is not running")
        assert "shop" not in top.text


async def test_notifications_are_inhibited_from_here(bus: PrivateBus) -> None:
    async with inhibitable(bus.address) as monitor, terminal(bus, "top") as top:
        await top.shows("no sessions")
        top.type("i")
        await top.shows("inhibited here")
        assert [who for who, _ in monitor.held.values()] == ["aimond top"]
        top.type("i")
        await top.until(lambda: "inhibited" not in top.text)
        assert monitor.held == {}
        top.type("i")
        await top.shows("inhibited here")
        top.type("q")
        await top.process.wait()
        async with asyncio.timeout(10):
            while monitor.held:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_it_fits_any_window(bus: PrivateBus, service: Service, source: Standin) -> None:
    for number in range(40):
        service.publish(
            source.add(f"s{number:02}", project=f"pr-{number:02}" + "x" * 60, state_since=minutes_ago(60 - number))
        )
    async with terminal(bus, "top") as top:
        await top.shows("pr-39", KEYS)
        assert sum("pr-" in line for line in top.lines) == HEIGHT - 4
        for width, height in ((40, 10), (200, 50), (20, 5), (80, 24)):
            top.resize(width, height)
            await top.until(lambda: sum("○ idle" in line for line in top.lines) == min(40, height - 4))  # noqa: B023
        top.type("j" * 39)
        await top.until(lambda: top.reversed() and "pr-00" in top.reversed()[0])


async def test_strange_names_do_not_break_it(bus: PrivateBus, service: Service, source: Standin) -> None:
    names = ["[red]a[/red]", "\x1b[2J\x1b[31mb\x07", "\u202ec\u05d0", "d" * 10_000, "\u4e16" * 200, "e\u0301" * 300]
    for number, name in enumerate(names):
        service.publish(source.add(f"s{number}", project=name, reason=name, state=State.WORKING))
    async with terminal(bus, "top") as top:
        await top.shows("[red]a[/red]", KEYS)
        assert sum("▶ working" in line for line in top.lines) == len(names)
        assert sum("claude-code" in line for line in top.lines) == len(names)


async def test_the_terminal_is_left_as_it_was(bus: PrivateBus, service: Service) -> None:
    for end in ("q", "\x03", "term"):
        async with terminal(bus, "top") as top:
            before = top.settings()
            await top.shows("no sessions")
            assert top.settings() != before
            if end == "term":
                top.process.terminate()
            elif end == "\x03":
                top.process.send_signal(2)  # as the terminal that it is not the controlling one of would
            else:
                top.type(end)
            assert await asyncio.wait_for(top.process.wait(), 10) == 0
            assert top.settings() == before
            await top.until(lambda: b"\x1b[?1049l" in top.written and b"\x1b[?25h" in top.written)


async def test_nothing_is_written_and_nothing_runs_while_nothing_changes(
    bus: PrivateBus, service: Service, source: Standin
) -> None:
    service.publish(source.add(state=State.WORKING, state_since=minutes_ago(60.2)))
    async with terminal(bus, "top") as top:
        await top.shows("1h")
        await asyncio.sleep(1)
        before, written = switches(top.process.pid), len(top.written)
        await asyncio.sleep(3)
        assert switches(top.process.pid) == before
        assert len(top.written) == written


async def test_without_colours_nothing_is_coloured(bus: PrivateBus, service: Service, source: Standin) -> None:
    service.publish(source.add(state=State.WAITING))
    async with terminal(bus, "status") as coloured:
        await coloured.process.wait()
        await coloured.shows("waiting")
        assert b"\x1b[1;33mwaiting" in coloured.written
    for command in ("status", "top"):
        async with terminal(bus, command, NO_COLOR="1") as plain:
            await plain.shows("waiting")
            assert b"33m" not in plain.written


async def test_a_terminal_that_cannot_be_drawn_in_is_none(bus: PrivateBus) -> None:
    async with terminal(bus, "top", TERM="dumb") as top:
        await top.shows("`aimond status`")
        assert await top.process.wait() == 1


def test_without_a_terminal_it_says_what_to_use(bus: PrivateBus) -> None:
    refused = subprocess.run([*AIMOND, "top"], env=bus.environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "`aimond status`" in refused.stderr


def test_without_rich_it_says_what_to_install(bus: PrivateBus) -> None:
    hide = "import sys; sys.modules['rich'] = None; from aimond.__main__ import main; sys.exit(main(['top']))"
    refused = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "pip install 'aimond[top]'" in refused.stderr


# -- what is counted --------------------------------------------------------------------------------


def test_a_rate_is_what_grew_in_the_last_minute() -> None:
    rates = Rates()
    at = session()["Path"]
    for now, total in ((0.0, 5000), (10.0, 6000), (30.0, 6500)):
        rates.note([session(OutputTokens=total)], now)
    assert (rates.per_minute(at), rates.next_change()) == (1500, 70.0)
    rates.note([session(OutputTokens=6500)], 70.0)
    assert (rates.per_minute(at), rates.next_change()) == (500, 90.0)
    rates.note([], 71.0)
    assert (rates.per_minute(at), rates.next_change()) == (0, None)


def test_the_next_age_is_waited_for_and_no_other() -> None:
    mirror = Mirror()
    assert next_age(mirror, 0.0) is None
    mirror.reset({}, [session("a", StateSince=1_000_000_000), session("b", StateSince=0)])
    assert next_age(mirror, 1010.0) == 1060.0
    assert next_age(mirror, 1060.0) == 1120.0
    assert next_age(mirror, 1000.0 + 7300) == 1000.0 + 3 * 3600


def test_the_chosen_one_is_always_seen() -> None:
    sessions = [session(str(number)) for number in range(10)]
    for chosen in sessions:
        for room in (1, 4, 10, 20):
            seen = visible(sessions, chosen["Path"], room)
            assert chosen in seen
            assert len(seen) == min(room, 10)
