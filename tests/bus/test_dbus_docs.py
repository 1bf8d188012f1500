"""The manual: complete, and the page made of it up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aimond.core.snapshot import Basis, State

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import gen_dbus_docs

GENERIC = "generic text for values you do not know"


def manuals() -> dict[str, gen_dbus_docs.Manual]:
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    node = ElementTree.parse(gen_dbus_docs.CONTRACT, parser).getroot()
    return {
        f"{interface.attrib['name'].removeprefix('org.ai.')}.{member.attrib['name']}": words
        for interface, _ in gen_dbus_docs.documented(node)
        for member, words in gen_dbus_docs.documented(interface)
    }


def test_the_page_is_up_to_date() -> None:
    page = gen_dbus_docs.render(gen_dbus_docs.CONTRACT.read_text())
    assert gen_dbus_docs.PAGE.read_text() == page, "run tools/gen_dbus_docs.py"


def test_every_member_and_argument_is_explained() -> None:
    node = ElementTree.parse(gen_dbus_docs.CONTRACT).getroot()
    told = manuals()
    members = [member for interface in node for member in interface]
    assert len(told) == len(members) > 70
    for words, member in zip(told.values(), members, strict=True):
        assert words.text, member.attrib
        assert list(words.arguments) == [arg.attrib["name"] for arg in member.iter("arg")], member.attrib


def test_every_comment_begins_with_the_name_of_what_follows() -> None:
    text = gen_dbus_docs.CONTRACT.read_text()
    for comment, follows in zip(text.split("<!--")[1:], text.split("-->")[1:], strict=True):
        assert follows.split('name="')[1].split('"')[0] == comment.split(":")[0].strip()


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("Monitor.State", {*State, "none"}),
        ("Monitor.CostTodayBasis", {*Basis}),
        ("Monitor.TelemetryHealth", {"ok", "silent", "never"}),
        ("Monitor.SessionRemoved", {"exited", "ended", "expired", "evicted", "replaced"}),
        ("Monitor.Session.State", {*State}),
        ("Monitor.Session.CostBasis", {*Basis}),
        ("Monitor.Session.Evidence", {"hook", "span", "log", "process", "timer"}),
        ("Monitor.Session.Confidence", {"exact", "inferred"}),
        ("Monitor.Session.LastErrorClass", {"auth", "rate_limit", "timeout", "server", "invalid"}),
        ("Monitor.Session.Agent", {"claude-code", "codex", "gemini-cli"}),
        ("Monitor.Session.Reason", {"permission:Bash", "rate_limit", "interrupted"}),
    ],
)
def test_every_value_of_an_enumeration_is_named(member: str, values: set[str]) -> None:
    words = manuals()[member]
    assert {value for value in values if f"`{value}`" not in words.text} == set()
    assert GENERIC in " ".join(words.text.split())
