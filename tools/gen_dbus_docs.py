"""Writes docs/dbus.md from dbus/org.ai.Monitor.xml, whose comments are the manual (in the form gdbus-codegen reads)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "dbus" / "org.ai.Monitor.xml"
PAGE = ROOT / "docs" / "dbus.md"

HEADER = """\
<!-- Generated from dbus/org.ai.Monitor.xml by tools/gen_dbus_docs.py: edit that file and run the tool. -->

# The D-Bus interfaces

For who writes a panel widget, a script or a status line. To look around:

```sh
busctl --user tree org.ai.Monitor
busctl --user get-property org.ai.Monitor /org/ai/Monitor org.ai.Monitor State
busctl --user --json=pretty call org.ai.Monitor /org/ai/Monitor org.ai.Monitor ListSessions
busctl --user monitor org.ai.Monitor
```
"""

KINDS = {"property": "Properties", "method": "Methods", "signal": "Signals"}
EMITS = {
    "const": "never changes",
    "invalidates": "says that it changed, not its value",
    "false": "does not say that it changed",
}


@dataclass
class Manual:
    """A comment taken apart: its text, and the words on each argument."""

    text: str
    arguments: dict[str, str] = field(default_factory=dict)


def manual(comment: str) -> Manual:
    """From ``Name:``, ``@argument: words`` and a text, as gdbus-codegen has them."""
    _, _, rest = textwrap.dedent(comment).strip().partition("\n")
    head, _, text = textwrap.dedent(rest).partition("\n\n") if rest.lstrip().startswith("@") else ("", "", rest)
    found = re.findall(r"^@(\w+): (.+?)(?=\n@|\Z)", head.strip(), re.DOTALL | re.MULTILINE)
    return Manual(text.strip(), {name: re.sub(r"\s+", " ", words) for name, words in found})


def documented(parent: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, Manual]]:
    """The children of an element, each with the comment before it."""
    comment = ""
    for child in parent:
        if child.tag is ElementTree.Comment:
            comment = child.text or ""
        elif child.tag != "annotation":
            yield child, manual(comment)
            comment = ""


def arguments(member: ElementTree.Element, direction: str | None) -> str:
    found = [arg for arg in member.iter("arg") if arg.get("direction") == direction]
    return ", ".join(f"{arg.get('type')} {arg.get('name')}" for arg in found)


def heading(member: ElementTree.Element) -> str:
    name = member.get("name")
    if member.tag == "property":
        return f"`{name}`: `{member.get('type')}`"
    if member.tag == "signal":
        return f"`{name}({arguments(member, None)})`"
    gives = arguments(member, "out")
    return f"`{name}({arguments(member, 'in')})`" + (f" → `{gives}`" if gives else "")


def section(member: ElementTree.Element, words: Manual) -> str:
    notes = [EMITS.get(note.get("value", ""), "") for note in member.iter("annotation")]
    lines = [f"#### {heading(member)}", *(f"*It {note}.*" for note in notes), words.text]
    if words.arguments:
        lines.append("\n".join(f"- *{name}*: {text}" for name, text in words.arguments.items()))
    return "\n\n".join(lines)


def render(xml: str) -> str:
    """The whole page."""
    node = ElementTree.fromstring(xml, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True)))
    parts = [HEADER.rstrip()]
    for interface, words in documented(node):
        parts += [f"## `{interface.get('name')}`: {words.arguments['short_description']}", words.text]
        members = list(documented(interface))
        for kind, title in KINDS.items():
            sections = [section(member, told) for member, told in members if member.tag == kind]
            parts += [f"### {title}", *sections] if sections else []
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(CONTRACT.read_text()))
