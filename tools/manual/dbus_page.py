"""org.ai.Monitor(7), from dbus/org.ai.Monitor.xml, as docs/dbus.md is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from gen_dbus_docs import CONTRACT, EMITS, HEADER, KINDS, Manual, arguments, documented

from manual import roff

_SEE: Final = r"""\fBaimond\fR(1), \fBaimond.toml\fR(5), \fBbusctl\fR(1), \fBgdbus\fR(1)"""


def man() -> str:
    """The page."""
    reader = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    node = ElementTree.fromstring(CONTRACT.read_text(), reader)
    _, _, looking = HEADER.partition("# The D-Bus interfaces\n")
    parts = [roff.heading("DESCRIPTION"), roff.text(looking)]
    for interface, words in documented(node):
        parts += [roff.heading(interface.get("name", "")), roff.text(_sentence(words)), *_members(interface)]
    parts += [roff.heading("SEE ALSO"), _SEE]
    return roff.page("org.ai.Monitor", 7, "every AI coding session of a user, on the session bus", *parts)


def _sentence(words: Manual) -> str:
    short = words.arguments["short_description"]
    return f"{short[:1].upper()}{short[1:]}.\n\n{words.text}"


def _members(interface: ElementTree.Element) -> Iterator[str]:
    members = list(documented(interface))
    for kind, title in KINDS.items():
        found = [(member, words) for member, words in members if member.tag == kind]
        if found:
            yield roff.heading(title, 2)
            yield from (roff.item(_term(member), _said(member, words)) for member, words in found)


def _term(member: ElementTree.Element) -> str:
    name = roff.bold(member.get("name", ""))
    if member.tag == "property":
        return f"{name} {roff.italic(member.get('type', ''))}"
    takes = arguments(member, "in" if member.tag == "method" else None)
    gives = arguments(member, "out") if member.tag == "method" else ""
    return f"{name}({roff.italic(takes) if takes else ''})" + (rf" \(-> {roff.italic(gives)}" if gives else "")


def _said(member: ElementTree.Element, words: Manual) -> str:
    notes = [EMITS.get(note.get("value", ""), "") for note in member.iter("annotation")]
    lines = [words.text, *(f"*It {note}.*" for note in notes if note)]
    if words.arguments:
        lines.append("\n".join(f"- *{name}*: {text}" for name, text in words.arguments.items()))
    return "\n\n".join(lines)
