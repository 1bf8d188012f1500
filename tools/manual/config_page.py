"""aimond.toml(5): docs/config.md, with the types that the pydantic models have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from aimond.config import Config
from manual import roff
from manual.pages import DOCS, sections

PAGE: Final = DOCS / "config.md"
_BOUNDS: Final = (("minimum", "at least {}"), ("exclusiveMinimum", "above {}"), ("maximum", "at most {}"))
_SEE: Final = r"\fBaimond\fR(1), \fBorg.ai.Monitor\fR(7)"


def man() -> str:
    """The page."""
    schema = Config.model_json_schema()
    told = sections(PAGE.read_text())
    parts = [roff.heading("DESCRIPTION"), roff.text(told.pop(""))]
    environment = told.pop("Environment")
    parts.append(roff.heading("SECTIONS"))
    named = set()
    for title, body in told.items():
        name = "".join(re.findall(r"^`\[+([\w-]+)", title))
        named.add(name)
        parts += [roff.heading(title.replace("`", ""), 2), *_section(body, _table(name, schema))]
    for name in [name for name in schema["properties"] if name not in named]:
        parts += [roff.heading(f"[{name}]", 2), *_rest(_table(name, schema), set())]
    parts += [roff.heading("ENVIRONMENT"), roff.text(environment), roff.heading("SEE ALSO"), _SEE]
    what = "the settings of aimond, config.toml in $XDG_CONFIG_HOME/aimond"
    return roff.page("aimond.toml", 5, what, *parts)


def _section(body: str, properties: dict[str, Any]) -> Iterator[str]:
    """Its text, and its keys where the table of them stands."""
    named: set[str] = set()
    for part in re.split(r"((?:^\|.*\|\n)+)", body, flags=re.MULTILINE):
        rows = re.findall(r"^\| `([\w.-]+)` \|(.*)\|$", part, re.MULTILINE)
        if not rows:
            yield roff.text(part) if part.strip() else ""
        for key, row in rows:
            named.add(key)
            yield _key(key, properties.get(key, {}), *(cell.strip() for cell in re.split(r"(?<!\\)\|", row)))
        if rows:
            yield from _rest(properties, named)
            yield ".PP" if body.rpartition(part)[2].strip() else ""


def _rest(properties: dict[str, Any], named: set[str]) -> Iterator[str]:
    """Keys that no table names."""
    for key, node in properties.items():
        if key not in named:
            yield _key(key, node)


def _key(key: str, node: dict[str, Any], default: str = "", unit: str = "", *meaning: str) -> str:
    words = " ".join(meaning).replace("\\|", "|")
    kind = _kind(node, unit, words)
    told = f"{kind[:1].upper()}{kind[1:]}. " if kind else ""
    ending = "" if not words or words.endswith(".") else "."
    term = roff.bold(key) + (f" = {roff.italic(default.strip('`'))}" if default else "")
    return roff.item(term, f"{told}{words[:1].upper()}{words[1:]}{ending}")


def _table(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The keys of a section, or of the tables that it is a list or a map of."""
    node = schema["properties"].get(name, {})
    while "properties" not in node:
        below = next((node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)), None)
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif below:
            node = below
        else:
            return {}
    found: dict[str, Any] = node["properties"]
    return found


def _kind(node: dict[str, Any], unit: str = "", words: str = "") -> str:
    """The type, with what bounds it where the words do not say that."""
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(filter(None, (_kind(each, unit, words) for each in node["anyOf"]))))
    if "enum" in node:
        values = [f"`{value}`" for value in node["enum"]]
        return "string" if all(value in words for value in values) else f"one of {', '.join(values)}"
    match node.get("type"):
        case "array":
            inner = _kind(node.get("items", {}), "", words)
            return f"list of {inner}" if inner.startswith(("one of", "list")) else f"list of {inner or 'table'}s"
        case "boolean":
            return "true or false"
        case "integer" | "number" as kind:
            form = "{:d}" if unit == "port" else "{:,}"
            told = {key: form.format(node[key]) for key, _ in _BOUNDS if key in node}
            if all(number in words for number in told.values()):
                told = {}
            whole = f"{kind} ({unit})" if unit and unit != "port" else kind
            if {"minimum", "maximum"} <= told.keys():
                return f"{whole}, {told['minimum']} to {told['maximum']}"
            return ", ".join([whole, *(bound.format(told[key]) for key, bound in _BOUNDS if key in told)])
        case "string":
            return "string"
    return ""
