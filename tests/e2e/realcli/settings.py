"""The CLIs' settings files: JSON and TOML, merged table by table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def merge(target: Json, extra: Json) -> Json:
    """Merge `extra` into `target`, table by table."""
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = value
    return target


def merge_json_file(path: Path, extra: Json) -> None:
    content: Json = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merge(content, extra), indent=2) + "\n")


def json_lines(path: Path, limit: int = 50) -> Iterator[Json]:
    """The first JSON objects of a JSON-lines file (its last line may be cut off)."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for _, line in zip(range(limit), lines, strict=False):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


# -- TOML output: the standard library only reads it ----------------------------------------------


def toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, bool | str | int):
        return json.dumps(value)
    return str(value)


def toml(document: Json, prefix: str = "") -> str:
    """A TOML document: plain keys, then a [table] for every dictionary."""
    lines = [f"{toml_key(k)} = {toml_value(v)}\n" for k, v in document.items() if not isinstance(v, dict)]
    for key, value in document.items():
        if isinstance(value, dict):
            name = f"{prefix}{toml_key(key)}"
            plain = not value or any(not isinstance(v, dict) for v in value.values())
            if plain and prefix + key == "otel":  # exporters read best as inline tables
                lines.append(f"\n[{name}]\n" + "".join(f"{toml_key(k)} = {toml_value(v)}\n" for k, v in value.items()))
            else:
                lines.append((f"\n[{name}]\n" if plain else "") + toml(value, f"{name}."))
    return "".join(lines)
