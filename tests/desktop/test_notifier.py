"""What a notification daemon is told, in which order, and what becomes of clicks: on a real bus."""

from __future__ import annotations

import asyncio

import pytest
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from aimond.core.policy import Policy
from aimond.desktop.looks import icon_file
from tests.busdaemon import PrivateBus
from tests.desktop.conftest import Story, User
from tests.desktop.screen import NAME, PATH, Screen, screen

WAITS = "Claude Code in web is waiting for you | It asks for permission to use Bash"
DONE = "Claude Code in web is done | After 1 min"


async def test_a_question_is_shown_until_it_is_answered(shown: Screen, told: Story) -> None:
    told.begins()
    told.waits()
    await shown.until(lambda: shown.texts == [WAITS])
    (call,) = shown.calls
    assert (call.application, call.icon, call.replaces, call.expires) == ("aimond", "org.ai.Monitor", 0, 0)
    assert call.hints == {
        "urgency": 2,
        "category": "x-aimond.waiting",
        "desktop-entry": "org.ai.Monitor",
        "image-path": icon_file().as_uri(),
    }
    assert call.actions == ["default", "Dismiss", "dismiss", "Dismiss"], "there is no terminal to focus"
    told.goes_on()
    await shown.until(lambda: not shown.shown)
    assert shown.told == ["ask", f"show {WAITS}", "close 1"]


async def test_what_follows_takes_the_place_of_what_was_shown(shown: Screen, told: Story) -> None:
    told.begins()
    told.waits()
    await shown.until(lambda: shown.texts == [WAITS])
    told.completes()
    await shown.until(lambda: shown.texts == [DONE])
    assert [(call.number, call.replaces) for call in shown.calls] == [(1, 0), (1, 1)]
    assert (shown.calls[1].hints["urgency"], shown.calls[1].expires) == (1, -1)
    told.is_seen()
    await shown.until(lambda: not shown.shown)
    assert shown.told[1:] == [f"show {WAITS}", f"show {DONE}", "close 1"]


async def test_changes_while_an_answer_is_due_become_one_call(shown: Screen, told: Story) -> None:
    told.begins()
    told.waits()
    await shown.until(lambda: shown.texts == [WAITS])
    told.goes_on()
    await shown.until(lambda: not shown.shown)
    shown.is_stalled = True
    told.waits()
    told.goes_on()
    told.waits(reason="question")
    told.completes()
    shown.go_on()
    await shown.until(lambda: shown.texts == [DONE])
    assert shown.told[3:] == [f"show {WAITS}", f"show {DONE}"]
    assert shown.calls[-1].replaces == shown.calls[-2].number


async def test_a_question_that_was_answered_before_it_was_shown_does_not_stay(shown: Screen, told: Story) -> None:
    told.begins("other")
    told.waits("other")
    await shown.until(lambda: len(shown.shown) == 1)
    shown.is_stalled = True
    told.begins()
    told.waits()
    await asyncio.sleep(0.01)
    told.goes_on()
    shown.go_on()
    await shown.until(lambda: "close 2" in shown.told)
    assert list(shown.shown) == [1]


async def test_a_burst_is_one_notification(shown: Screen, told: Story) -> None:
    for name in ("a", "b", "c"):
        told.begins(name, project=name)
    for name in ("a", "b", "c"):
        told.completes(name)
        await shown.until(lambda: len(shown.shown) == 1)
    await shown.until(lambda: shown.texts[0].startswith("3 agents finished"))
    assert shown.shown[1].body.splitlines() == [f"Claude Code in {name} · 1 min" for name in ("a", "b", "c")]
    told.is_seen("a")
    told.is_seen("b")
    await shown.until(lambda: shown.texts == ["Claude Code in c is done | After 1 min"])
    told.is_seen("c")
    await shown.until(lambda: not shown.shown)


@pytest.mark.parametrize("settings", [{"quiet_hours": None, "min_duration": 10_000_000}])
async def test_nothing_is_shown_of_a_short_turn(shown: Screen, told: Story) -> None:
    told.begins()
    told.completes(duration=9_999_999)
    told.begins("two")
    told.completes("two", duration=10_000_000)
    await shown.until(lambda: shown.shown)
    assert shown.shows == ["show Claude Code in web is done | After 10 s"]


async def test_nothing_is_shown_of_what_the_user_looks_at(shown: Screen, told: Story, user: User) -> None:
    told.begins("one")
    told.begins("two")
    user.looks_at = {"one"}
    told.waits("one")
    told.waits("two")
    await shown.until(lambda: shown.shown)
    assert len(shown.shows) == 1


async def test_what_the_user_may_look_at_is_shown_once_it_is_known_that_he_does_not(
    shown: Screen, told: Story, user: User
) -> None:
    names = ("seen", "unseen", "answered", "broken")
    for name in names:
        told.begins(name, project=name)
        user.unsure[name] = asyncio.get_running_loop().create_future()
        told.waits(name)
    told.begins("other", project="other")
    told.waits("other")
    await shown.until(lambda: len(shown.shown) == 1)
    told.goes_on("answered")
    user.unsure["seen"].set_result(True)
    user.unsure["broken"].set_exception(RuntimeError("a window is lost"))
    user.unsure["unseen"].set_result(False)
    user.unsure["answered"].set_result(False)
    await shown.until(lambda: len(shown.shown) == 3)
    told.completes("other")
    await shown.until(lambda: any("is done" in text for text in shown.texts))
    waiting = sorted(text.split()[3] for text in shown.texts if "waiting" in text)
    assert waiting == ["broken", "unseen"]
    assert not told.notifier._board.holds


async def test_nothing_is_shown_while_inhibited_and_what_still_waits_afterwards(
    shown: Screen, told: Story, user: User
) -> None:
    for name in ("waits", "answered", "done"):
        told.begins(name, project=name)
    user.inhibits = True
    told.waits("waits")
    told.waits("answered")
    told.completes("done")
    told.goes_on("answered")
    user.inhibits = False
    told.notifier.publish([])
    await shown.until(lambda: shown.shown)
    told.completes("done")
    await shown.until(lambda: len(shown.shown) == 2)
    assert [text.split(" | ")[0] for text in shown.texts] == [
        "Claude Code in waits is waiting for you",
        "Claude Code in done is done",
    ]


async def test_do_not_disturb_of_the_daemon_counts(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address, inhibited=True) as shown:
        await shown.until(lambda: told.notifier._server and told.notifier._server.inhibited)
        told.begins()
        told.waits()
        told.begins("two")
        told.completes("two")
        shown.disturb(not_=False)
        await shown.until(lambda: shown.texts == [WAITS])
        shown.disturb(not_=True)
        await shown.until(lambda: told.notifier._server and told.notifier._server.inhibited)
        told.completes("two")
        told.goes_on()
        await shown.until(lambda: not shown.shown)
        assert shown.shows == [f"show {WAITS}"]


@pytest.mark.parametrize("action", ["default", "focus"])
async def test_a_click_focuses_the_terminal_and_acknowledges(
    shown: Screen, told: Story, user: User, action: str
) -> None:
    told.begins(terminal="/dev/pts/3")
    told.completes()
    await shown.until(lambda: shown.shown)
    assert shown.shown[1].actions[::2] == ["default", "focus", "dismiss"]
    assert shown.shown[1].actions[3::2] == ["Focus terminal", "Dismiss"]
    shown.click(1, action, "token-7")
    await shown.until(lambda: user.focused)
    assert (user.focused, user.acknowledged) == ([("claude-code", "one", "token-7")], ["claude-code:one"])
    told.is_seen()
    told.completes()
    await shown.until(lambda: len(shown.calls) == 2)
    assert shown.calls[1].replaces == 0


async def test_dismissing_acknowledges_and_running_out_does_not(shown: Screen, told: Story, user: User) -> None:
    for name in ("button", "closed", "expired"):
        told.begins(name, terminal="/dev/pts/3")
        told.waits(name)
    await shown.until(lambda: len(shown.shown) == 3)
    shown.click(1, "dismiss")
    shown.close(2, 2)
    shown.close(3, 1)
    await shown.until(lambda: len(user.acknowledged) == 2)
    told.goes_on("expired")
    told.waits("expired")
    await shown.until(lambda: len(shown.shown) == 1)
    assert (user.acknowledged, user.focused) == (["claude-code:button", "claude-code:closed"], [])


async def test_what_other_programs_say_in_the_daemons_name_is_not_believed(
    bus: PrivateBus, shown: Screen, told: Story, user: User
) -> None:
    told.begins()
    told.waits()
    await shown.until(lambda: shown.shown)
    other = await MessageBus(bus.address).connect()
    for owner in (told.notifier._server._bus.unique_name,) if told.notifier._server else ():
        lie = Message.new_signal(PATH, NAME, "ActionInvoked", "us", [1, "default"])
        lie.destination = owner
        await other.send(lie)
    ping = Message(other.unique_name or "", "/", "org.freedesktop.DBus.Peer", "Ping")
    await other.call(ping)
    told.goes_on()
    await shown.until(lambda: not shown.shown)
    assert (user.acknowledged, shown.told[-1]) == ([], "close 1")
    other.disconnect()


@pytest.mark.parametrize(
    ("capabilities", "body", "actions"),
    [
        (("actions", "body", "body-markup"), "&lt;b&gt;&amp; to use", True),
        (("actions", "body"), "<b>& to use", True),
        (("body", "body-markup"), "&lt;b&gt;&amp; to use", False),
    ],
)
async def test_a_daemon_gets_what_it_can_show(
    bus: PrivateBus, told: Story, capabilities: tuple[str, ...], body: str, actions: bool
) -> None:
    async with screen(bus.address, capabilities=capabilities) as shown:
        told.begins()
        told.waits(reason="permission:<b>& to use")
        await shown.until(lambda: shown.shown)
        assert shown.shown[1].body == f"It asks for permission to use {body}"
        assert bool(shown.shown[1].actions) is actions


async def test_a_daemon_without_bodies_gets_one_line(bus: PrivateBus, told: Story) -> None:
    async with screen(bus.address, capabilities=()) as shown:
        told.begins()
        told.waits()
        await shown.until(lambda: shown.shown)
        assert shown.shown[1].text == "Claude Code in web is waiting for you: It asks for permission to use Bash"


async def test_other_settings_count_from_then_on(shown: Screen, told: Story) -> None:
    told.begins()
    told.notifier.adopt(Policy(kinds=("waiting",)))
    told.completes()
    told.waits()
    await shown.until(lambda: shown.shown)
    assert shown.shows == [f"show {WAITS}"]
