"""aimond(1) and docs/commands.md: argparse, with what tools/manual/aimond.md says beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aimond.__main__ import parser
from manual import roff
from manual.pages import ROOT, sections
from manual.words import HELP, Argument, Command, arguments, commands

SOURCE: Final = ROOT / "tools" / "manual" / "aimond.md"
_SEE: Final = r"\fBaimond.toml\fR(5), \fBorg.ai.Monitor\fR(7), \fBsystemctl\fR(1), \fBbusctl\fR(1)"
SECTIONS: Final = ("Completions", "Exit status", "Files")
_HEADER: Final = """\
<!-- Generated from aimond/__main__.py and tools/manual/aimond.md by tools/gen_manual.py: edit those, run the tool. -->

# The commands
"""


def man() -> str:
    """The manual page."""
    told = _told()
    parts = [
        roff.heading("SYNOPSIS"),
        f"{roff.bold('aimond')} {roff.italic('COMMAND')} [{roff.italic('ARGUMENT')}...]",
        *(f".br\n{roff.bold('aimond')} {roff.bold(each.names[-1])}" for each in arguments(parser())),
        roff.heading("DESCRIPTION"),
        roff.text(told["Description"]),
        roff.heading("COMMANDS"),
    ]
    for command in commands():
        parts += [roff.heading(f"{command.name}: {command.help}", 2), *_command(command, told.get(command.name, ""))]
    for title in SECTIONS:
        parts += [roff.heading(title.upper()), roff.text(told[title])]
    environment = sections((ROOT / "docs" / "config.md").read_text())["Environment"]
    parts += [roff.heading("ENVIRONMENT"), roff.text(environment), roff.heading("SEE ALSO"), _SEE]
    return roff.page("aimond", 1, "what AI coding sessions do, and which one wants you", *parts)


def markdown() -> str:
    """The page of docs/."""
    told = _told()
    parts = [_HEADER.rstrip(), told["Description"].rstrip()]
    parts.append("\n".join(f"- [{each.name}](#aimond-{each.name}): {each.help}" for each in commands()))
    for command in commands():
        parts += [f"## `aimond {command.name}`", f"{_sentence(command.help)}\n\n```\n{command.usage}\n```"]
        parts += ["\n".join(["| | |", "|---|---|", *rows])] if (rows := list(_rows(command))) else []
        parts += [told[command.name].rstrip()] if command.name in told else []
    for title in SECTIONS:
        parts += [f"## {title}", told[title].rstrip()]
    return "\n\n".join(parts) + "\n"


def _told() -> dict[str, str]:
    return sections(SOURCE.read_text())


def _command(command: Command, more: str) -> Iterator[str]:
    yield _typed(command.usage)
    yield from (roff.item(_term(each), _sentence(each.help)) for each in command.arguments if each.names != HELP)
    yield f".PP\n{roff.text(more)}" if more else ""


def _typed(usage: str) -> str:
    """A line to type, with what is to be put in, in italics: what has no small letter, or is one of several words."""
    words = re.split(r"([\[\] …|]+)", usage)
    return roff.unbroken("".join(_word(word) for word in words))


def _word(word: str) -> str:
    if not re.search(r"[A-Za-z]", word):
        return roff.escaped(word.replace("…", "..."))
    return roff.italic(word) if word.isupper() else roff.bold(word)


def _term(argument: Argument) -> str:
    value = f" {roff.italic(argument.value)}" if argument.value else ""
    return ", ".join(f"{roff.bold(name)}{value}" for name in argument.names) or value.strip()


def _rows(command: Command) -> Iterator[str]:
    for each in command.arguments:
        if each.names != HELP:
            words = [f"{name} {each.value}".strip() for name in each.names] or [each.value]
            cells = ", ".join(f"`{word}`" for word in words).replace("|", r"\|")
            yield f"| {cells} | {each.help.replace('|', chr(92) + '|')} |"


def _sentence(help_: str) -> str:
    return f"{help_[:1].upper()}{help_[1:]}." if help_ else ""
