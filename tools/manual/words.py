"""The command line as argparse has it, said in words: the same under every version of Python."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aimond.__main__ import parser

# By nargs, what stands for an argument.
_MANY: Final = {"?": "[{}]", "*": "[{}…]", "+": "{}…", argparse.REMAINDER: "{} …"}


@dataclass(frozen=True, slots=True)
class Argument:
    """An option or an argument: ``names`` to type, none for an argument; ``value``: what stands for its value."""

    names: tuple[str, ...]
    value: str
    usage: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of ``aimond``, with what it takes."""

    name: str
    help: str
    arguments: tuple[Argument, ...]

    @property
    def usage(self) -> str:
        """One line."""
        return " ".join(["aimond", self.name, *(each.usage for each in self.arguments if each.names != HELP)])


HELP: Final = ("-h", "--help")


def commands() -> Iterator[Command]:
    """Those that ``aimond --help`` lists, in its order."""
    (chosen,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for listed in chosen._choices_actions:
        yield Command(listed.dest, listed.help or "", tuple(arguments(chosen.choices[listed.dest])))


def arguments(command: argparse.ArgumentParser) -> Iterator[Argument]:
    """Of a parser; of the whole one, without the commands."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help is argparse.SUPPRESS:
            continue
        value = _value(action) if action.nargs != 0 else ""
        told = command._get_formatter()._expand_help(action) if action.help else ""
        yield Argument(tuple(action.option_strings), value, _usage(action, value), told)


def _usage(action: argparse.Action, value: str) -> str:
    many = _MANY.get(str(action.nargs), "{}").format(value)
    if not action.option_strings:
        return many
    words = f"{action.option_strings[-1]} {many}".strip()
    return words if action.required else f"[{words}]"


def _value(action: argparse.Action) -> str:
    if action.metavar:
        return str(action.metavar)
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
