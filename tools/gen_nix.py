#!/usr/bin/env python3
"""Write nix/options.json from aimond/config.py and nix/settings.json from aimond/agents/*/settings.py.

    tools/gen_nix.py [--check]

So the modules of nix/ have the options that config.toml has, and set what `aimond setup` sets: nothing is told twice.
`--check` writes nothing and exits with 1 if a file lags behind.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import generating

from aimond.agents.settings import CliSettings, Wanted
from aimond.commands.setup import find
from aimond.config import Config

ROOT: Final = Path(__file__).parents[1]
NIX: Final = ROOT / "nix"

# What nix/agents.nix puts in, by what stands in the texts that setup writes. The hook has to look like aimond's.
HTTP, GRPC = "http://127.0.0.1:4318", "http://127.0.0.1:4317"
PLACES: Final = {HTTP: "@http@", GRPC: "@grpc@"}
PROGRAM: Final = ("@python@", "-I", "-S", "@site@/aimond/commands/hook.py")
RECEIVERS: Final = {"both": (HTTP, GRPC), "http": (HTTP, ""), "grpc": ("", GRPC)}
NEWEST: Final = (9999,)  # a version that knows every hook; nix/agents.nix leaves out those that are too new
# Tables that count as one value, as a CLI takes one of several kinds of them and no mixture.
WHOLE: Final = frozenset({("otel", "exporter"), ("otel", "trace_exporter")})


def generated() -> dict[Path, str]:
    """The texts of the files, by path."""
    told = {"options.json": options(), "settings.json": {key_of(cli): settings(cli) for cli in find().values()}}
    return {NIX / name: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for name, value in told.items()}


# -- config.toml ------------------------------------------------------------------------------------


def options() -> dict[str, Any]:
    """The JSON Schema of config.toml, with the defaults of whole sections and the meanings of docs/config.md."""
    schema = Config.model_json_schema()
    defaults = Config().model_dump(mode="json", by_alias=True)
    for name, section in schema["properties"].items():
        section["default"] = defaults[name]
        for key, meaning in _meanings(name).items():
            for table in _tables(section, schema):
                if key in table.get("properties", {}):
                    table["properties"][key]["description"] = meaning
    plain: dict[str, Any] = _untitled(schema)
    return plain


def _tables(node: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The object that a section is, and those that it is a list or a map of."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    yield node
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _tables(node[key], schema)


def _meanings(section: str) -> dict[str, str]:
    """What docs/config.md says of a section's keys."""
    page = (ROOT / "docs" / "config.md").read_text()
    found: dict[str, str] = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        if not re.match(rf"`\[+{section}\b", part):
            continue
        for row in re.findall(r"^\| `(\w+)` \|(.*)\|$", part, re.MULTILINE):
            _default, unit, meaning = (cell.strip() for cell in re.split(r"(?<!\\)\|", row[1], maxsplit=2))
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning)
            found[row[0]] = f"{words[:1].upper()}{words[1:]}." + (f" Unit: {unit}." if unit else "")
    return found


def _untitled(node: Any) -> Any:
    """Without pydantic's titles, which say what the names say, and without the docstrings of classes."""
    if isinstance(node, list):
        return [_untitled(each) for each in node]
    if not isinstance(node, dict):
        return node
    is_class = "properties" in node and isinstance(node["properties"], dict) and "type" in node
    gone = ("title", "description") if is_class else ("title",)
    return {key: _untitled(value) for key, value in node.items() if key not in gone or isinstance(value, dict)}


# -- the CLIs' settings -----------------------------------------------------------------------------


def key_of(cli: CliSettings) -> str:
    """Its name in home-manager: ``programs.NAME.settings``."""
    return cli.nix.split(".")[1]


def settings(cli: CliSettings) -> dict[str, Any]:
    """What setup writes into an empty home: values by path, for each choice of receivers, hooks, and other files."""
    main_file, *_ = cli.files
    told: dict[str, Any] = {
        "title": cli.title,
        "file": f"{cli.home}/{main_file}",
        "format": main_file.rpartition(".")[2],
        "values": {},
        "hooks": {},
        "files": {},
    }
    for name, (http, grpc) in RECEIVERS.items():
        edit = cli.add({}, Wanted(http, grpc, (*PROGRAM, cli.name), version=NEWEST))
        if edit.left:
            raise SystemExit(f"{cli.title}: {edit.left}: an empty home should leave nothing")
        texts = dict(edit.files)
        tree = _placed(_plain(main_file, texts.pop(main_file)))
        told["hooks"] = tree.pop("hooks")
        told["values"][name] = [{"path": list(path), "value": value} for path, value in _leaves(tree)]
        told["files"] = {f"{cli.home}/{each}": text for each, text in texts.items()}
    told["since"] = {hook.event: ".".join(map(str, hook.since)) for hook in _hooks(cli) if hook.since}
    return told


def _hooks(cli: CliSettings) -> Any:
    return import_module(cli.add.__module__).HOOKS


def _plain(name: str, text: str) -> Any:
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def _leaves(tree: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        path = (*above, key)
        if isinstance(value, dict) and path not in WHOLE:
            yield from _leaves(value, path)
        else:
            yield path, value


def _placed(node: Any) -> Any:
    """With places instead of endpoints."""
    if isinstance(node, dict):
        return {key: _placed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_placed(each) for each in node]
    for text, place in PLACES.items():
        node = node.replace(text, place) if isinstance(node, str) else node
    return node


if __name__ == "__main__":
    sys.exit(generating.main(__doc__, generated()))
