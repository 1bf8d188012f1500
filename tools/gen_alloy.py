#!/usr/bin/env python3
"""Write the statements of alloy/aimond.alloy from the rules of aimond/forward.

    tools/gen_alloy.py [--check]

So Alloy and aimond make telemetry alike by one table. What stands between the marks `// generated: NAME` and
`// end: NAME` is replaced. `--check` writes nothing and exits with 1 if the file lags behind.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from aimond.forward import mapping, ottl
from aimond.forward.mapping import Context

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "alloy" / "aimond.alloy"
MARKED: Final = re.compile(r"(?P<indent>[\t ]*)// generated: (?P<name>\w+)\n.*?// end: (?P=name)\n", re.DOTALL)

# The blocks of Alloy by OTTL's context, in the order in which they are to run.
BLOCKS: Final[dict[Context, str]] = {"spanevent": "trace", "span": "trace", "log": "log", "datapoint": "metric"}
HOLDERS: Final = {"resource": ("trace", "log", "metric"), "scope": ("trace", "log", "metric")} | {
    context: (signal,) for context, signal in BLOCKS.items()
}

# Codex 0.169.0 has two attributes thread.id on some spans: the number of a thread, and then the conversation. OTTL sees
# the first one only, but the last one in a copy.
TWICE: Final = (
    'IsMatch(scope.name, "^(codex)") and span.attributes["session.id"] == nil and span.attributes["turn.id"] != nil'
    ' and not IsString(span.attributes["thread.id"])'
)
FIRST: Final = {
    "span": [
        f'merge_maps(span.cache, span.attributes, "upsert") where {TWICE}',
        'set(span.attributes["session.id"], span.cache["thread.id"])'
        f' where {TWICE} and IsString(span.cache["thread.id"])',
    ]
}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--check", action="store_true", help="write nothing; 1 if the file lags behind")
    check = arguments.parse_args().check
    before = FILE.read_text()
    after = generated(before)
    if before != after:
        print(f"{FILE.relative_to(ROOT)} {'lags behind: run tools/gen_alloy.py' if check else 'written'}")
        if not check:
            FILE.write_text(after)
    return int(check and before != after)


def generated(text: str) -> str:
    """The file with what is between the marks made anew."""

    def part(found: re.Match[str]) -> str:
        name, indent = found["name"], found["indent"]
        lines = [f"// generated: {name}", *PARTS[name](), f"// end: {name}"]
        return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)

    return MARKED.sub(part, text)


def normalize() -> list[str]:
    """What one record says of itself, under the common names."""
    return _blocks(
        (signal, context, FIRST.get(context, []) + ottl.statements(context)) for context, signal in BLOCKS.items()
    )


def private() -> list[str]:
    """What removes prompts, answers, tools' input and output, providers' messages, and accounts."""
    ours = f"IsMatch(scope.name, {ottl_text(_scopes())})"
    event, name = 'log.attributes["event.name"]', 'log.cache["name"]'
    further = {
        "span": ['set(span.status.message, "")'],
        "log": [
            # Of a body what stays is the event's name.
            f"set({name}, log.event_name)",
            f'set({name}, {event}) where IsString({event}) and {event} != ""',
            f'set(log.body, "") where log.body != nil and (not {ours} or {name} == "")',
            f'set(log.body, {name}) where log.body != nil and {ours} and {name} != "" and log.body != {name}'
            f' and log.body != Concat(["claude_code", {name}], ".")',
        ],
    }
    return _blocks(
        (signal, context, ottl.private(context) + further.get(context, []))
        for context, signals in HOLDERS.items()
        for signal in signals
    )


def noise() -> list[str]:
    """Which spans not to count."""
    return ["traces {", f"\tspan = [`{ottl.noise()}`]", "}"]


def ottl_text(text: str) -> str:
    """As a string of OTTL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _scopes() -> str:
    starts = [re.escape(start) for each in mapping.SCOPES.values() for start in each]
    return f"^({'|'.join(starts)})"


def _blocks(groups: Iterable[tuple[str, str, list[str]]]) -> list[str]:
    lines: list[str] = []
    for signal, context, statements in groups:
        if "`" in "".join(statements):
            sys.exit("a statement has a backtick, which Alloy's raw strings cannot have")
        lines += ["", f"{signal}_statements {{", f'\tcontext    = "{context}"', "\tstatements = ["]
        lines += [f"\t\t`{statement}`," for statement in statements]
        lines += ["\t]", "}"]
    return lines[1:]


PARTS: Final[dict[str, Callable[[], list[str]]]] = {"normalize": normalize, "private": private, "noise": noise}


if __name__ == "__main__":
    sys.exit(main())
